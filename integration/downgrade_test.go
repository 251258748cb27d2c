package integration

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A server, or who plays it, that offers less than before is refused in one line, and with exit status 3; what serves goes on asking. The file that the line
// names is what to remove if that is right.
func TestDowngrade(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newPair(t, s)
		p.daemon.stop()
		trace := filepath.Join(t.TempDir(), "trace")
		p.bob.env = append(p.bob.env, "GIT_XMPP_TRACE="+trace)
		p.daemon = p.bob.serve(p.bob.dir, p.served)
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		err := s.RestartWithout(ctx, "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512", "SCRAM-SHA-512-PLUS")
		if err != nil {
			t.Fatal(err)
		}
		logged := func(text string) func() bool {
			return func() bool {
				b, err := os.ReadFile(trace)
				return err == nil && strings.Contains(string(b), text)
			}
		}
		await(t, "serve to refuse the server", logged("log in as bob@localhost: by SCRAM-SHA-1 before, now the server leaves us only PLAIN (it offers PLAIN"))

		b := p.bad(3, "log in as alice@localhost: by SCRAM-SHA-1 before, now the server leaves us only PLAIN (it offers PLAIN", "bob@localhost/proj")
		b.watched = []string{p.alice.dir}
		b.check(t)
		file := filepath.Join(p.alice.dataDir(), "logins.json")
		b.line = "somebody may be in between; no password was sent. If its operator says that this is right: remove " + file
		b.check(t)
		other := newHome(t, s, "Bob", "bob") // on another machine, where nobody has logged in before: PLAIN, over verified TLS, is all that there is
		other.serve(other.dir, other.newRepo("proj")).stop()

		for _, h := range []*home{p.alice, p.bob} {
			if err := os.Remove(filepath.Join(h.dataDir(), "logins.json")); err != nil {
				t.Fatal(err)
			}
		}
		await(t, "serve to log in", logged("xmpp link restored"))
		p.alice.git(p.clone, "push", "--quiet", "origin", "main")
		if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.line = file + " is damaged"
		b.check(t)
		p.daemon.stop()
		if b, err := os.ReadFile(trace); err != nil || strings.Contains(string(b), s.Accounts["bob"]) {
			t.Errorf("the trace has the password: %v", err)
		}
	})
}
