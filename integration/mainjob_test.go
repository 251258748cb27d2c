package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// The main job: invite, clone, push, and fetch what was committed on the other side. With two accounts and with one, bare and not.
func TestMainJob(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		for _, guest := range []string{"alice", "bob"} {
			for _, bare := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s-bare=%v", guest, bare), func(t *testing.T) { mainJob(t, s, s, guest, bare) })
			}
		}
	})
}

func mainJob(t *testing.T, bobs, guests *testserver.Server, guest string, bare bool) {
	bob, alice := newHome(t, bobs, "Bob", "bob"), newHome(t, guests, "Alice", guest)
	served := bob.newRepo("proj")
	work := served
	if bare {
		served = filepath.Join(bob.dir, "bare", "proj.git")
		bob.git(bob.dir, "clone", "--quiet", "--bare", work, served)
		bob.git(work, "remote", "add", "origin", served)
	}
	d := bob.serve(served)
	if want := bob.account + "/git-"; !strings.HasPrefix(d.jid, want) {
		t.Errorf("serving as %s, want %s…", d.jid, want)
	}
	url := bob.xmpp(served, "invite")
	if want := "xmpp::" + bob.account + "/proj?invite="; !strings.HasPrefix(url, want) {
		t.Fatalf("invite prints %s, want %s…", url, want)
	}
	alice.git(alice.dir, "clone", "--quiet", url, "clone")
	clone := filepath.Join(alice.dir, "clone")
	if got := alice.git(clone, "config", "remote.origin.url"); got != "xmpp::"+bob.account+"/proj" {
		t.Errorf("the remote's url is %s after the clone", got)
	}

	pushed := alice.commit(clone, "from-alice")
	before := bob.git(served, "rev-parse", "main")
	out := alice.gitBoth(clone, "push", "origin", "main").stderr
	if want := fmt.Sprintf("%s..%s  main -> main", before[:7], pushed[:7]); !strings.Contains(out, want) {
		t.Errorf("push says %q, want %s", out, want)
	}
	if got := bob.git(served, "rev-parse", "main"); got != pushed {
		t.Errorf("main is %s on the serving side, want %s", got, pushed)
	}
	if bare {
		bob.git(work, "pull", "--quiet", "origin", "main")
	} else if got := bob.git(work, "status", "--porcelain"); got != "" {
		t.Errorf("the work tree isn't clean: %s", got)
	}
	answer := bob.commit(work, "from-bob")
	if bare {
		bob.git(work, "push", "--quiet", "origin", "main")
	}
	alice.git(clone, "fetch", "--quiet")
	if got := alice.git(clone, "rev-parse", "origin/main"); got != answer {
		t.Errorf("fetched %s, want %s", got, answer)
	}
	if out := alice.gitBoth(clone, "fetch").stderr; out != "" {
		t.Errorf("a second fetch says %q", out)
	}
	for home, dir := range map[*home]string{bob: served, alice: clone} {
		home.git(dir, "fsck", "--strict")
	}
	d.stop()
}

// Without an argument serve and invite mean the repository that one stands in, as git does.
func TestInASubfolder(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	served := bob.newRepo("proj")
	below := filepath.Join(served, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	bob.serve(below)
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(below, "invite", "--label", "her"), "clone")
	clone := filepath.Join(alice.dir, "clone")
	pushed := alice.commit(clone, "here")
	alice.git(clone, "push", "--quiet", "origin", "main")
	if got := bob.git(below, "rev-parse", "main"); got != pushed {
		t.Errorf("main is %s, want %s", got, pushed)
	}
	mustSay(t, bob.xmpp(below, "peers"), "her", "alice@localhost", "write: 1")
}
