package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A diagnosis is what doctor --json says, as a script reads it.
type diagnosis struct {
	Software string
	OK       bool
	Steps    []struct{ Remote, Name, State, Evidence, Advice string }
}

// doctor runs doctor --json, which must leave all files of the home as they are, and fail if a step does.
func (h *home) doctor(t *testing.T, dir string, args ...string) (d diagnosis) {
	t.Helper()
	before := snapshot(t, h.dir)
	r := h.try(dir, "git-remote-xmpp", append([]string{"doctor", "--json"}, args...)...)
	sameSnapshot(t, before, snapshot(t, h.dir))
	if err := json.Unmarshal([]byte(r.stdout), &d); err != nil {
		t.Fatalf("%v: %v", err, r)
	}
	failed := 0
	for _, s := range d.Steps {
		if s.State == "failed" {
			failed++
		}
	}
	if d.OK != (failed == 0) || (r.status == 0) != d.OK || r.status > 1 {
		t.Errorf("%d steps failed, ok is %v: %v", failed, d.OK, r)
	}
	if want := fmt.Sprintf("git-remote-xmpp: steps that failed: %d of %d\n", failed, len(d.Steps)); failed > 0 && r.stderr != want || failed == 0 && r.stderr != "" {
		t.Errorf("it says %q", r.stderr)
	}
	noSecrets(t, r, []string{"alice-secret", "bob-secret", "wr0ng-secret"})
	return d
}

// mustHave expects steps, in this order, each "state name" and maybe what must be in its evidence and advice; those that aren't named don't matter.
func (d diagnosis) mustHave(t *testing.T, wanted ...string) {
	t.Helper()
	steps := d.Steps
	for _, want := range wanted {
		head, text, _ := strings.Cut(want, ": ")
		i := slices.IndexFunc(steps, func(s struct{ Remote, Name, State, Evidence, Advice string }) bool { return s.State+" "+s.Name == head })
		if i < 0 || !regexp.MustCompile(text).MatchString(steps[i].Evidence+" → "+steps[i].Advice) {
			t.Errorf("no %q in %+v", want, steps)
			return
		}
		steps = steps[i+1:]
	}
}

// notReached are the steps at a remote that none is come to.
var notReached = []string{"none online", "none key", "none refs", "none path"}

// Each step of the way is found to be as it is, on each real server, and nothing is changed.
func TestDoctor(t *testing.T) {
	testserver.OnEach(t, testserver.Options{Archive: true}, func(t *testing.T, s *testserver.Server) {
		bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
		served, clone := bob.newRepo("proj"), filepath.Join(alice.dir, "clone")
		daemon := bob.serve(served)
		alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite", "--label", "Alice"), clone)
		bob.git(served, "tag", "v1")
		with := func(variables ...string) *home { // Alice with other settings
			other := alice.in(t)
			other.env = append(slices.Clip(other.env), variables...)
			return other
		}
		uuid := bob.git(served, "config", "xmpp.uuid")
		text := alice.xmpp(clone, "doctor")
		t.Logf("\n%s", text)
		mustSay(t, text, "✓ settings  account alice@localhost (xmpp.account)", "\n– services  ", "\norigin, bob@localhost/proj\n✓ known     ", "\n            → ")
		alice.doctor(t, clone).mustHave(t, "ok settings: account alice@localhost", "ok git: [0-9]", "ok key: ^SHA256:", "ok password: GIT_XMPP_PASSWORD", "ok address: "+s.Addr,
			"ok connect: "+s.Addr, `ok tls: TLS 1.3, certificate for "localhost".*expires in`, "ok login: ^alice@localhost/git-run-.* by SCRAM-SHA-",
			`ok rate: ^([0-9.]+ .B/s or more|about [0-9.]+ kB/s) through the server`, "ok copies: carbons, an archive, offline storage, which leave our messages out.*; a second login with carbons got no copy; the archive has none → $", "ok online: ^bob@localhost/git-",
			"ok key: ^SHA256:", "ok refs: ^2 in proj .*"+uuid, "ok path: ^in-band")
		t.Run("wrong password", func(t *testing.T) {
			with("GIT_XMPP_PASSWORD=wr0ng-secret").doctor(t, clone).mustHave(t, append([]string{"ok tls", "failed login: wrong password or no such account", "ok known"}, notReached...)...)
		})
		t.Run("wrong port", func(t *testing.T) {
			with("GIT_XMPP_SERVER="+closedPort(t)).doctor(t, clone).mustHave(t, append([]string{"ok address", "failed connect: check the network", "none tls", "none login", "ok known"}, notReached...)...)
		})
		t.Run("untrusted certificate", func(t *testing.T) {
			with("GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=xmpp.sslCAInfo", "GIT_CONFIG_VALUE_0=").doctor(t, clone).
				mustHave(t, "ok connect", `failed tls: isn't signed by an authority that we trust.* → it showed a certificate for "localhost"`, "none login")
		})
		t.Run("unknown repository", func(t *testing.T) {
			alice.doctor(t, clone, "xmpp::bob@localhost/none").mustHave(t, "ok online", "ok key", "failed refs: no such repository.* → check the name", "ok path")
		})
		t.Run("unknown peer", func(t *testing.T) {
			alice.doctor(t, clone, "xmpp::carol@localhost/proj").mustHave(t, append([]string{"ok login", "failed known: ask for an invite"}, notReached...)...)
		})
		t.Run("invite", func(t *testing.T) {
			url := bob.xmpp(served, "invite")
			carol := newHome(t, s, "Carol", "carol")
			carol.doctor(t, carol.dir, url).mustHave(t, append([]string{"none key: there is none yet", "ok login: ^carol", "none known: invite"}, notReached...)...)
			carol.git(carol.dir, "ls-remote", url) // it is as good as new
		})
		t.Run("no remote", func(t *testing.T) {
			if d := alice.doctor(t, alice.dir); !d.OK || slices.ContainsFunc(d.Steps, func(s struct{ Remote, Name, State, Evidence, Advice string }) bool { return s.Remote != "" }) {
				t.Errorf("%+v", d)
			}
		})
		t.Run("bad setting", func(t *testing.T) {
			with("GIT_XMPP_TIMEOUT=soon").doctor(t, clone).mustHave(t, "failed settings: GIT_XMPP_TIMEOUT")
		})
		t.Run("git lfs", func(t *testing.T) {
			hook(t, clone, "pre-push", "#!/bin/sh\ngit lfs pre-push \"$@\"\n")
			alice.doctor(t, clone).mustHave(t, `failed lfs: lfs\.xmpp::\.standalonetransferagent isn't set → git-remote-xmpp lfs setup`, "ok path")
			alice.xmpp(alice.dir, "lfs", "setup")
			alice.doctor(t, clone).mustHave(t, "ok lfs", "ok path")
		})
		t.Run("peer offline", func(t *testing.T) {
			daemon.stop()
			alice.doctor(t, clone).mustHave(t, "ok login", "ok known", "failed online: isn't online, or doesn't know us.* → is git-remote-xmpp serve running there, logged in as bob@localhost",
				"none key", "none refs", "none path")
		})
		t.Run("key changed", func(t *testing.T) {
			if err := os.Remove(filepath.Join(bob.dataDir(), "identity")); err != nil {
				t.Fatal(err)
			}
			bob.serve(served)
			alice.doctor(t, clone).mustHave(t, "ok online", "failed key: it has changed: expected SHA256:.* → somebody may be pretending to be it", "none refs", "none path")
		})
	})
}

// The path is given the time to become a direct one; where it doesn't, doctor says why.
func TestDoctorPath(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{TURN: testserver.NewTURN(t, testserver.Place{}), Proxy: true})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	served, clone := bob.newRepo("proj"), filepath.Join(alice.dir, "clone")
	daemon := bob.serve(served)
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), clone)
	alice.git(alice.dir, "config", "--global", "xmpp.directPath", "auto")
	alice.doctor(t, clone).mustHave(t, "ok services: ^stun:127.0.0.1:[0-9]+, turn:127.0.0.1:[0-9]+, proxy [^ ]+:[0-9]+ → $", `ok path: ^in-band \(the peer doesn't look for a direct path; see xmpp.directPath there\)`)
	bob.git(bob.dir, "config", "--global", "xmpp.directPath", "auto")
	daemon.stop()
	bob.serve(served)
	alice.doctor(t, clone).mustHave(t, "ok refs", "ok path: ^direct to [^ ]+:[0-9]+, [0-9.]+ ms")
}

// What limits clients is measured, and said with what can be done about it.
func TestDoctorRate(t *testing.T) {
	t.Parallel()
	testserver.OnEach(t, testserver.Options{BytesPerSecond: 20000, BurstBytes: 10000}, func(t *testing.T, s *testserver.Server) {
		alice := newHome(t, s, "Alice", "alice")
		alice.doctor(t, alice.dir).mustHave(t, `ok rate: ^about [1-5]?[0-9](\.[0-9])? kB/s through the server → the server seems to limit its clients: without a direct path 10 MB take .*Prosody.*ejabberd`)
	})
}

// A server that copies what goes through it to the account's chat programs is found out. What we are told to send at the most isn't blamed on the server.
func TestDoctorCopies(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{Archive: true, CopyAll: true})
	alice := newHome(t, s, "Alice", "alice")
	alice.git(alice.dir, "config", "--global", "xmpp.inbandLimit", "20k")
	alice.doctor(t, alice.dir).mustHave(t, "ok rate: ^about .* → xmpp.inbandLimit has us send no more", "failed copies: ^messages as ours are copied to other logins of the account.*, and kept in the archive.* → .*use an account of its own for git")
}

// Where DNS names no server and there is none under the domain's name both is said. git is asked how old it is.
func TestDoctorNames(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	alice := newHome(t, s, "Alice", "alice")
	old := t.TempDir()
	script := "#!/bin/sh\ntest \"$1\" = version && echo git version 2.20.1 && exit\nexec " + lookPath(t, "git") + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(old, "git"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	alice.git(alice.dir, "config", "--global", "--unset", "xmpp.server")
	alice.env = append(alice.env, "GIT_XMPP_ACCOUNT=alice@nowhere.invalid", "PATH="+old+string(os.PathListSeparator)+os.Getenv("PATH"))
	alice.doctor(t, alice.dir).mustHave(t, "failed git: 2.20.1", `ok address: ^nowhere.invalid:5222, for DNS names no other \(SRV\)`,
		"failed connect: (there is no host|lookup) nowhere.invalid.* → is the name right.*_xmpp-client._tcp.nowhere.invalid.*set xmpp.server", "none tls", "none login")
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Of several machines behind an address, one that is there and has the repository is enough.
func TestDoctorSeveralMachines(t *testing.T) {
	t.Parallel()
	b := newMachines(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	b.desktop.daemon.stop() // it was seen last
	b.alice.doctor(t, b.clone).mustHave(t, "ok known: bob@localhost: 2", `ok online: \("laptop"\)`, "ok refs: "+b.laptop.uuid)
	b.alice.doctor(t, b.clone, "xmpp::bob@localhost/"+b.desktop.uuid).mustHave(t, "failed refs: 1 without such a repository, 1 not online")
	b.laptop.daemon.stop()
	b.alice.doctor(t, b.clone).mustHave(t, "failed online: none of the 2 peers known at bob@localhost")
}

// What a peer says of others isn't taken down: git at work would.
func TestDoctorLearnsNothing(t *testing.T) {
	t.Parallel()
	b := newSiblings(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	b.desktop.doctor(t, b.desktop.proj, "xmpp::bob@localhost/"+b.laptop.uuid).mustHave(t, "ok refs")
	b.desktop.knowsNot(b.alice.key())
	b.meet()
	b.desktop.knows(b.alice.key(), b.laptop.key())
}
