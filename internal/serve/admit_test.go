package serve_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/serve"
	"mellium.im/xmpp/jid"
)

// Packets are read from a peer's account however that is spelt (RFC 7622), and from no other that looks like it.
func TestLookAlikes(t *testing.T) {
	store := peers.Open(filepath.Join(t.TempDir(), "keys"))
	secret, err := store.NewInvite(t.Context(), peers.InviteRequest{RepoUUID: clientA, Access: peers.Write, Expires: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	admit, knock := serve.Admit(store, slog.New(slog.DiscardHandler)), serve.AdmitKnock(store)
	tag := peers.KnockTag(secret, "alice@example.org")
	froms := map[string]bool{
		"alice@example.org": true, "Alice@EXAMPLE.org": true, "ａｌｉｃｅ@example.org": true, "alice@example.org/git-0011223344556677": true, "alice@example.org/bob@example.org": true, "alice@example.org.": true,

		"аlice@example.org":                  false, // Cyrillic
		"alıce@example.org":                  false, // no dot
		"alicé@example.org":                  false,
		"alice.@example.org":                 false,
		"al1ce@example.org":                  false,
		"alice@example.org.evil":             false,
		"alice@evil.example.org":             false,
		"alice@exаmple.org":                  false, // Cyrillic
		"alice@xn--exmple-4nf.org":           false, // the same, as DNS has it
		"alice@example.orgs":                 false,
		"example.org":                        false,
		"bob@example.org/alice@example.org":  false,
		"example.org/alice@example.org":      false,
		"alice%example.org@evil.org":         false,
		`alice\40example.org@evil.org`:       false, // XEP-0106
		"alice@evil.org/example.org":         false,
		"evil.org/alice@example.org/git-001": false,
	}
	for from, want := range froms {
		address, err := jid.Parse(from)
		if err != nil {
			if want {
				t.Errorf("%q: %v", from, err)
			}
			continue // no such packet gets as far as that
		}
		if got := knock(address.Bare(), tag); got != want {
			t.Errorf("%q knocks with Alice's invite: %v", from, got)
		}
		if admit(address.Bare()) {
			t.Errorf("%q is let in before anybody is", from)
		}
	}
	if _, err := store.Redeem(t.Context(), secret, peers.Key{1}, "alice@example.org", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	for from, want := range froms {
		if address, err := jid.Parse(from); err == nil && admit(address.Bare()) != want {
			t.Errorf("%q is let in: %v", from, !want)
		}
	}
	for _, from := range []string{"alice@example.org\x00", "alice @example.org", "alice@example.org\n", "ali\u200dce@example.org", "alice@example.org\u202e", "alice@exam ple.org"} {
		if address, err := jid.Parse(from); err == nil && admit(address.Bare()) {
			t.Errorf("%q is let in as %s", from, address)
		}
	}
}
