package peers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain plays the other process of TestProcessesRedeemOneInvite.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PEERS_TEST_DIR"); dir != "" {
		os.Exit(redeemInChild(dir))
	}
	os.Exit(m.Run())
}

func redeemInChild(dir string) int {
	token, err := ParseToken(os.Getenv("PEERS_TEST_TOKEN"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	_, err = Open(dir).Redeem(context.Background(), token.Secret, token.Key, bob, "", time.Now())
	switch {
	case err == nil:
		fmt.Print("won")
	case errors.Is(err, ErrInviteUsed):
		fmt.Print("used")
	default:
		fmt.Println(err)
		return 1
	}
	return 0
}

func TestRedeem(t *testing.T) {
	s := testStore(t)
	at(s, start)
	secret := invite(t, s, Write)
	if !s.HasOpenInvites() {
		t.Error("no open invite")
	}
	key, now := testKey(1), start.Add(time.Minute)
	got, err := s.Redeem(t.Context(), secret, key, bob, "what it calls itself", now)
	if err != nil || got.RepoUUID != repo1 || got.RepoName != "proj" || got.Access != Write || got.UsedBy != key || !got.UsedAt.Equal(now) {
		t.Fatalf("%+v, %v", got, err)
	}
	p, err := s.ByKey(key)
	if err != nil || p.Label != "guest" || p.Pinned || p.Addresses[0] != bob || !p.LastSeen.Equal(now) || s.Access(key, repo1) != Write {
		t.Errorf("%+v, %v", p, err)
	}
	if s.HasOpenInvites() {
		t.Error("a used invite counts as open")
	}
	list, err := s.Invites()
	if err != nil || len(list) != 1 || list[0].State(now) != InviteUsed {
		t.Errorf("%+v, %v", list, err)
	}
	data, err := os.ReadFile(s.invites.Path)
	must(t, err)
	text, err := Key(bytes.Join([][]byte{secret[:], make([]byte, 16)}, nil)).MarshalText()
	must(t, err)
	if bytes.Contains(data, text[:20]) {
		t.Error("the secret is on disk")
	}
}

func TestRedeemAgain(t *testing.T) {
	s := testStore(t)
	at(s, start)
	secret := invite(t, s, Write)
	one, two := testKey(1), testKey(2)
	first, err := s.Redeem(t.Context(), secret, one, bob, "", start)
	must(t, err)
	if _, err := s.Redeem(t.Context(), secret, two, bob, "", start); !errors.Is(err, ErrInviteUsed) {
		t.Errorf("another key: %v", err)
	}
	must(t, s.SetAccess(t.Context(), one, []string{repo1}, Read))
	again, err := s.Redeem(t.Context(), secret, one, bob, "", start.Add(2*time.Hour)) // after it would have expired
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("the same key: %+v, %v", again, err)
	}
	if s.Access(one, repo1) != Read {
		t.Error("coming again took back what the owner had set")
	}
	must(t, s.Remove(t.Context(), one))
	if _, err := s.Redeem(t.Context(), secret, one, bob, "", start); !errors.Is(err, ErrInviteUsed) {
		t.Errorf("the same key after it was removed: %v", err)
	}
}

// A machine that is made anew for each run has the key and the URL, and nothing else.
func TestRedeemForYears(t *testing.T) {
	s := testStore(t)
	at(s, start)
	secret, key := invite(t, s, Write), testKey(1)
	_, err := s.Redeem(t.Context(), secret, key, bob, "", start)
	must(t, err)
	expired := invite(t, s, Read)
	years := start.Add(3 * 365 * 24 * time.Hour)
	at(s, years)
	invite(t, s, Read) // others come and go
	if _, err := s.Redeem(t.Context(), secret, key, bob, "", years); err != nil {
		t.Error(err)
	}
	if _, err := s.Redeem(t.Context(), secret, testKey(2), bob, "", years); !errors.Is(err, ErrInviteUsed) {
		t.Errorf("another key: %v", err)
	}
	if _, err := s.Redeem(t.Context(), expired, key, bob, "", years); !errors.Is(err, ErrInviteUnknown) {
		t.Errorf("one that nobody came with: %v", err)
	}
	if s.MatchKnock(KnockTag(secret, alice), alice) {
		t.Error("who has nothing but the URL is let in as far as to be told that it was used, for ever")
	}
	must(t, s.Remove(t.Context(), key))
	if _, err := s.Redeem(t.Context(), secret, key, bob, "", years); !errors.Is(err, ErrInviteUsed) {
		t.Errorf("a removed key: %v", err)
	}
}

func TestRedeemNeverLowers(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	must(t, s.SetAccess(t.Context(), key, []string{repo1, repo2}, Write))
	_, err := s.Redeem(t.Context(), invite(t, s, Read), key, bob, "", time.Now())
	if err != nil || s.Access(key, repo1) != Write || s.Access(key, repo2) != Write {
		t.Errorf("%v, %v", s.Access(key, repo1), err)
	}
	must(t, s.SetAccess(t.Context(), key, []string{repo1}, None))
	_, err = s.Redeem(t.Context(), invite(t, s, Read), key, bob, "", time.Now())
	if err != nil || s.Access(key, repo1) != Read {
		t.Errorf("%v, %v", s.Access(key, repo1), err)
	}
}

func TestRedeemRefuses(t *testing.T) {
	s := testStore(t)
	at(s, start)
	secret := invite(t, s, Read)
	for name, tt := range map[string]struct {
		secret         Secret
		key            Key
		address, label string
		now            time.Time
		want           error
	}{
		"unknown":  {Secret{1}, testKey(1), bob, "", start, ErrInviteUnknown},
		"expired":  {secret, testKey(1), bob, "", start.Add(time.Hour), ErrInviteExpired},
		"address":  {secret, testKey(1), "bob", "", start, ErrBadAddress},
		"label":    {secret, testKey(1), bob, "a\nb", start, ErrBadLabel},
		"zero key": {secret, Key{}, bob, "", start, errBadKey},
	} {
		if _, err := s.Redeem(t.Context(), tt.secret, tt.key, tt.address, tt.label, tt.now); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := s.List(); err != nil || len(list) != 0 || !s.HasOpenInvites() {
		t.Errorf("something changed: %v, %v", list, err)
	}
}

// TestRedeemAfterACrash leaves the store as after each write of Redeem.
func TestRedeemAfterACrash(t *testing.T) {
	for _, writes := range []int{1, 2} {
		s := testStore(t)
		secret, key, now := invite(t, s, Write), testKey(1), time.Now().UTC()
		var got storedInvite
		must(t, s.invites.Update(func(l *inviteList) (err error) {
			got, err = l.take(Key(sha256.Sum256(secret[:])), key, now)
			return err
		}))
		if writes == 2 {
			must(t, s.changePeers(t.Context(), func(l *peerList) error { return l.admit(got.Invite, key, bob, "", now) }))
		}
		if _, err := s.Redeem(t.Context(), secret, testKey(2), bob, "", now); !errors.Is(err, ErrInviteUsed) {
			t.Errorf("%d writes: another key: %v", writes, err)
		}
		if _, err := s.Redeem(t.Context(), secret, key, bob, "", now); err != nil || s.Access(key, repo1) != Write {
			t.Errorf("%d writes: the same key: %v", writes, err)
		}
	}
}

func TestGoroutinesRedeemOneInvite(t *testing.T) {
	s := testStore(t)
	secret := invite(t, s, Read)
	const guests = 12
	errs := make([]error, guests)
	var group sync.WaitGroup
	for i := range guests {
		group.Go(func() {
			_, errs[i] = Open(s.dir).Redeem(t.Context(), secret, testKey(byte(i)), bob, "", time.Now())
		})
	}
	group.Wait()
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
			if s.Access(testKey(byte(i)), repo1) != Read {
				t.Errorf("guest %d won and has no access", i)
			}
		case !errors.Is(err, ErrInviteUsed):
			t.Errorf("guest %d: %v", i, err)
		}
	}
	if list, err := s.List(); err != nil || won != 1 || len(list) != 1 {
		t.Errorf("%d won, %d peers, %v", won, len(list), err)
	}
}

func TestProcessesRedeemOneInvite(t *testing.T) {
	s := testStore(t)
	secret := invite(t, s, Read)
	const guests = 4
	out := make([]string, guests)
	var group sync.WaitGroup
	for i := range guests {
		group.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "PEERS_TEST_DIR="+s.dir,
				"PEERS_TEST_TOKEN="+Token{Key: testKey(byte(i)), Secret: secret}.String())
			b, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("guest %d: %v", i, err)
			}
			out[i] = string(b)
		})
	}
	group.Wait()
	all := strings.Join(out, " ")
	if strings.Count(all, "won") != 1 || strings.Count(all, "used") != guests-1 {
		t.Error(all)
	}
}
