package peers

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/refname"
	"git-remote-xmpp/internal/statefile"
)

func invite(t *testing.T, s *Store, access Access) Secret {
	t.Helper()
	secret, err := s.NewInvite(t.Context(), InviteRequest{RepoUUID: repo1, RepoName: "proj", Access: access, Label: "guest", Expires: time.Hour})
	must(t, err)
	return secret
}

func TestNewInviteRefuses(t *testing.T) {
	s := testStore(t)
	good := InviteRequest{RepoUUID: repo1, Access: Read, Expires: time.Hour}
	for name, change := range map[string]func(*InviteRequest){
		"UUID":    func(r *InviteRequest) { r.RepoUUID = "proj" },
		"access":  func(r *InviteRequest) { r.Access = None },
		"refs":    func(r *InviteRequest) { r.Refs = features },
		"no refs": func(r *InviteRequest) { r.Access, r.Refs = Write, refname.Patterns{"main"} },
		"label":   func(r *InviteRequest) { r.Label = strings.Repeat("x", 65) },
		"name":    func(r *InviteRequest) { r.RepoName = "a\nb" },
		"no time": func(r *InviteRequest) { r.Expires = 0 },
		"past":    func(r *InviteRequest) { r.Expires = -time.Hour },
		"forever": func(r *InviteRequest) { r.Expires = 10 * maxExpires },
	} {
		r := good
		change(&r)
		if _, err := s.NewInvite(t.Context(), r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestInvitesArePruned(t *testing.T) {
	s := testStore(t)
	at(s, start)
	secret := invite(t, s, Read)
	tag := KnockTag(secret, bob)
	at(s, start.Add(time.Hour+keepClosed))
	if !s.MatchKnock(tag, bob) || s.HasOpenInvites() {
		t.Error("an expired invite is forgotten too soon, or still open")
	}
	at(s, start.Add(time.Hour+keepClosed+time.Second))
	if s.MatchKnock(tag, bob) {
		t.Error("an expired invite is known for ever")
	}
	invite(t, s, Read)
	if list, err := s.Invites(); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := s.Redeem(t.Context(), secret, testKey(1), bob, "", s.now()); !errors.Is(err, ErrInviteUnknown) {
		t.Errorf("forgotten invite: %v", err)
	}
}

func TestInvitesAreLimited(t *testing.T) {
	s := testStore(t)
	at(s, start)
	must(t, s.invites.Update(func(l *inviteList) error { return statefile.ErrUnchanged }))
	must(t, os.MkdirAll(s.dir, 0o700))
	must(t, s.invites.Update(func(l *inviteList) error {
		for i := range maxInvites {
			v := storedInvite{Hash: Key{byte(i), byte(i >> 8)}, Invite: Invite{RepoUUID: repo1, Access: Read, Created: start, Expires: start.Add(time.Hour)}}
			l.Invites = append(l.Invites, v)
		}
		return nil
	}))
	r := InviteRequest{RepoUUID: repo1, Access: Read, Expires: time.Hour}
	if _, err := s.NewInvite(t.Context(), r); !errors.Is(err, ErrTooMany) {
		t.Errorf("all open: %v", err)
	}
	at(s, start.Add(time.Hour))
	must(t, s.invites.Update(func(l *inviteList) error {
		l.Invites[0].UsedBy, l.Invites[0].UsedAt = testKey(1), start
		return nil
	}))
	if _, err := s.NewInvite(t.Context(), r); err != nil {
		t.Errorf("all expired: %v", err)
	}
	if list, err := s.Invites(); err != nil || len(list) != maxInvites || list[0].UsedBy != testKey(1) {
		t.Errorf("%d, %v, and not the oldest expired one went", len(list), err)
	}
	must(t, s.invites.Update(func(l *inviteList) error {
		for i := range l.Invites {
			l.Invites[i].UsedBy, l.Invites[i].UsedAt = testKey(byte(i)), start
		}
		return nil
	}))
	if _, err := s.NewInvite(t.Context(), r); err != nil {
		t.Errorf("all used: %v", err)
	}
	if list, err := s.Invites(); err != nil || len(list) != maxInvites || list[0].UsedBy == testKey(0) {
		t.Errorf("%d, %v, and not the oldest used one went", len(list), err)
	}
}

func TestKnock(t *testing.T) {
	s := testStore(t)
	secret := invite(t, s, Read)
	invite(t, s, Write)
	tag := KnockTag(secret, bob)
	flipped := bytes.Clone(tag)
	flipped[15] ^= 1
	for name, tt := range map[string]struct {
		tag     []byte
		address string
		want    bool
	}{
		"right":           {tag, bob, true},
		"another address": {tag, alice, false},
		"flipped":         {flipped, bob, false},
		"cut off":         {tag[:15], bob, false},
		"empty":           {nil, bob, false},
		"another secret":  {KnockTag(Secret{1}, bob), bob, false},
	} {
		if s.MatchKnock(tt.tag, tt.address) != tt.want {
			t.Errorf("%s: not %v", name, tt.want)
		}
	}
	_, err := s.Redeem(t.Context(), secret, testKey(1), bob, "", time.Now())
	must(t, err)
	if !s.MatchKnock(tag, bob) {
		t.Error("a used invite isn't known any more")
	}
}
