package integration

import (
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// What the documents show is what happens.
func TestDocuments(t *testing.T) {
	const me, alice, bob, carol = "me", "alice", "bob", "carol"
	for _, d := range []struct {
		file   string
		server string
		users  map[string]string
	}{
		{"doc/two-machines.md", testserver.Prosody, map[string]string{"laptop": me, "desktop": me}},
		{"doc/friend.md", testserver.Ejabberd, map[string]string{"alice": alice, "bob": bob}},
		{"doc/team.md", testserver.Prosody, map[string]string{"hub": bob, "alice": alice, "carol": carol}},
	} {
		t.Run(d.file, func(t *testing.T) {
			t.Parallel()
			s := testserver.New(t, d.server, testserver.Options{Domain: "example.org", Accounts: map[string]string{
				me: "my-secret", alice: "alice-secret", bob: "bob-secret", carol: "carol-secret",
			}})
			p := &transcript{t: t, server: s, users: d.users}
			p.run(d.file)
		})
	}
}
