package integration

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// pairUp has bob serve a repository that alice has cloned.
func pairUp(t *testing.T, s *testserver.Server) (bob, alice *home, served, clone string) {
	t.Helper()
	bob, alice = newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	served = bob.newRepo("proj")
	bob.serve(served)
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), "clone")
	return bob, alice, served, filepath.Join(alice.dir, "clone")
}

// randomFile writes n random bytes to a file.
func randomFile(t *testing.T, path string, n int) {
	t.Helper()
	data := make([]byte, n)
	_, _ = rand.Read(data)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A server that refuses stanzas of over 8,192 bytes works.
func TestSmallStanzas(t *testing.T) {
	testserver.OnEach(t, testserver.Options{MaxStanzaBytes: 8192}, func(t *testing.T, s *testserver.Server) {
		bob, alice, served, clone := pairUp(t, s)
		randomFile(t, filepath.Join(clone, "blob"), 4<<20)
		pushed := alice.commit(clone, "large")
		alice.git(clone, "push", "--quiet", "origin", "main")
		if got := bob.git(served, "rev-parse", "main"); got != pushed {
			t.Errorf("main is %s, want %s", got, pushed)
		}
		again := filepath.Join(alice.dir, "again")
		alice.git(alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", again)
		if got := alice.git(again, "rev-parse", "main"); got != pushed {
			t.Errorf("cloned %s, want %s", got, pushed)
		}
	})
}

// Servers with Debian's default limits are slow, and that is all: a push of 100 kB gets through.
func TestDefaultRateLimits(t *testing.T) {
	for name, o := range map[string]testserver.Options{
		testserver.Prosody:  {BytesPerSecond: 10_000},
		testserver.Ejabberd: {BytesPerSecond: 3_000, BurstBytes: 20_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testserver.New(t, name, o)
			bob, alice, served, clone := pairUp(t, s)
			randomFile(t, filepath.Join(clone, "blob"), 100_000)
			pushed := alice.commit(clone, "large")
			began := time.Now()
			r := alice.gitBoth(clone, "push", "origin", "main")
			t.Logf("100 kB in %v", time.Since(began).Round(time.Millisecond))
			if want := fmt.Sprintf("%s  main -> main", pushed[:7]); !strings.Contains(r.stderr, want) {
				t.Errorf("push says %q, want %s", r.stderr, want)
			}
			if got := bob.git(served, "rev-parse", "main"); got != pushed {
				t.Errorf("main is %s, want %s", got, pushed)
			}
		})
	}
}

// Beside a transfer through a server that is slow a control message is answered soon: what QUIC would have on its way by itself takes more than 6 s.
func TestControlMessageBesideTransfer(t *testing.T) {
	t.Parallel()
	const soon = 3 * time.Second // 2 s, and some for a machine that is busy
	s := testserver.New(t, testserver.Prosody, testserver.Options{BytesPerSecond: 10_000})
	l := &limitedLink{b: t, stream: newBenchStream(t, s, nil)}
	answers, err := l.control(6 * time.Second)
	if err != nil {
		t.Fatal(l.stream.from.Explain(err))
	}
	t.Log(answers)
	if longest := slices.Max(answers); longest > soon {
		t.Errorf("a control message was answered after %v", longest)
	}
}
