package peers

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Whatever peers.json holds: what is let through can be asked everything, nobody has a right that a patterns' check or an access wouldn't let through, a stranger has none, and
// it is written so that it is let through again.
func FuzzPeersFile(f *testing.F) {
	key := func(n byte) string { text, _ := testKey(n).MarshalText(); return string(text) }
	peer := func(rest string) string {
		return `{"version":1,"content":{"peers":[{"key":"` + key(1) + `","label":"a","addresses":["` + bob + `"],"pinnedAddresses":["` + bob + `"],"resource":"git-0123456789abcdef"` + rest + `}]}}`
	}
	for _, text := range []string{
		"{}", peer(""), peer(`,"grants":{"` + repo1 + `":"write"},"limits":{"` + repo1 + `":["refs/heads/*"]}`), peer(`,"uuids":["` + repo2 + `"],"serves":["` + repo1 + `"]`),
		peer(`,"vouches":[{"by":"` + key(2) + `","address":"` + bob + `","resource":"git-0123456789abcdef","shared":true,"pinned":true,"access":{"` + repo1 + `":"read"}}]`),
		peer(`,"clones":[{"client":"` + repo1 + `","repository":"` + repo2 + `"}]`), `{"version":1,"content":{"removed":["` + key(3) + `"]}}`,
	} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		s := Open(dir)
		if err := os.WriteFile(s.peers.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s.Check() != nil {
			if list, err := s.List(); err == nil || len(list) > 0 || s.Access(testKey(1), repo1) != None {
				t.Fatalf("%v, of what isn't let through", list)
			}
			return
		}
		list, err := s.List()
		if err != nil {
			t.Fatal(err)
		}
		if right := s.Right(testKey(9), repo1); right.Access != None && !strings.Contains(text, "key") {
			t.Fatalf("a stranger has %v", right)
		}
		for _, p := range list {
			for _, id := range []string{repo1, repo2} {
				right := s.Right(p.Key, id)
				if !right.Access.valid() || right.Access != Write && !right.Refs.All() || s.Access(p.Key, id) != right.Access {
					t.Fatalf("%+v", right)
				}
			}
			for _, ask := range []func() error{
				func() error { _, err := s.ToVouch(bob, p.Key); return err }, func() error { _, err := s.ToShare(bob, p.Key); return err },
				func() error { _, err := s.Pinned(bob); return err }, func() error { _, err := s.ByKey(p.Key); return err },
			} {
				if err := ask(); err != nil {
					t.Fatal(err)
				}
			}
		}
		content, err := s.peers.Read()
		if err != nil {
			t.Fatal(err)
		}
		comesBack(t, content)
	})
}

// comesBack checks that what a file holds is written so that it is let through, as the same.
func comesBack[T any, P interface {
	*T
	Check() error
}](t *testing.T, content P) {
	t.Helper()
	once, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	again := P(new(T))
	if err := json.Unmarshal(once, again); err != nil {
		t.Fatal(err)
	}
	twice, err := json.Marshal(again)
	if err != nil || !bytes.Equal(once, twice) || again.Check() != nil {
		t.Fatalf("%s, again %s, %v, %v", once, twice, err, again.Check())
	}
}

// Whatever invites.json holds: who has no secret of an invite knocks in vain, and gets nothing.
func FuzzInvitesFile(f *testing.F) {
	hash, _ := testKey(1).MarshalText()
	invite := func(rest string) string {
		return `{"version":1,"content":{"invites":[{"hash":"` + string(hash) + `","repoUUID":"` + repo1 + `","access":"write","created":"2024-01-01T00:00:00Z","expires":"2999-01-01T00:00:00Z"` + rest + `}]}}`
	}
	for _, text := range []string{"", invite(""), invite(`,"label":"a"`), invite(`,"usedBy":"` + string(hash) + `","usedAt":"2024-01-02T00:00:00Z","granted":true`), strings.Replace(invite(""), "write", "none", 1)} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		s := Open(dir)
		if err := os.WriteFile(s.invites.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s.Check() == nil {
			content, err := s.invites.Read()
			if err != nil {
				t.Fatal(err)
			}
			comesBack(t, content)
		} else if s.HasOpenInvites() {
			t.Fatal("of what isn't let through an invite is open")
		}
		secret := Secret{1, 2, 3}
		if s.MatchKnock(KnockTag(secret, bob), bob) {
			t.Fatal("a made-up secret knocks")
		}
		if got, err := s.Redeem(t.Context(), secret, testKey(5), bob, "", time.Now()); err == nil {
			t.Fatalf("a made-up secret has %+v", got)
		}
	})
}

// What is taken for an identity is one key, which the file that would be made of it holds too; what isn't, and isn't a file, is shown by no error.
func FuzzIdentity(f *testing.F) {
	made, err := newIdentity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(made))
	f.Add(base64.StdEncoding.EncodeToString(make([]byte, ed25519.SeedSize)))
	f.Add(base64.RawStdEncoding.EncodeToString(make([]byte, ed25519.SeedSize)) + "\n")
	f.Add("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	f.Add("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		private, err := parsePrivate([]byte(text))
		if err != nil {
			if _, err := envPrivate("/no-where/" + text); err == nil || len(text) > 12 && strings.Contains(err.Error(), text) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil || len(private) != ed25519.PrivateKeySize {
			t.Fatal(err)
		}
		for _, form := range [][]byte{pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), []byte(base64.StdEncoding.EncodeToString(private.Seed()))} {
			if again, err := parsePrivate(form); err != nil || !reflect.DeepEqual(again, private) {
				t.Fatalf("%q comes back as another key: %v", text, err)
			}
		}
	})
}

// What is taken for a resource, a key or an access is written as it was read, but for the forms of UUIDs.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{"git-0123456789abcdef", "git-0123456789ABCDEF", repo1, "{" + repo1 + "}", "urn:uuid:" + repo1, "write", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nA", bob, "bob@\u202e"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ResourceID(text); err == nil && ResourceName(id) != text {
			t.Fatalf("resource %q", text)
		}
		var key Key
		if err := key.UnmarshalText([]byte(text)); err == nil {
			if again, err := key.MarshalText(); err != nil || string(again) != text {
				t.Fatalf("key %q, again %q, %v", text, again, err)
			}
		}
		if access, err := ParseAccess(text); err == nil && access.String() != text {
			t.Fatalf("access %q", text)
		}
		if id, err := canonicalUUID(text); err == nil {
			if again, err := canonicalUUID(id); err != nil || again != id || !strings.EqualFold(text, id) {
				t.Fatalf("UUID %q is %q, again %q, %v", text, id, again, err)
			}
		}
		if checkAddress(text) == nil && strings.ContainsAny(text, "/\n\x1b\x00\u202e") {
			t.Fatalf("address %q", text)
		}
	})
}
