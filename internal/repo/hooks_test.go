package repo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dump is a hook that writes its environment, what git finds configured, and
// its input, and its arguments to a file named after it.
const dump = `f="$GIT_TEST_OUT/$(basename "$0")"
{ echo "args $*"; env; echo "hooksPath=$(git config core.hooksPath)"; echo "reflogs=$(git config core.logAllRefUpdates)"; git config --list | sed 's/^/config /'; } >>"$f"
case $(basename "$0") in pre-receive|post-receive|reference-transaction) sed 's/^/input /' >>"$f";; esac
`

func TestHooksSeeTheirOwnEnvironment(t *testing.T) {
	names := []string{"pre-receive", "update", "post-receive", "post-update", "reference-transaction"}
	for _, mode := range []string{ModeFallback, ModeDirect} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, "--bare")
			t.Setenv("TOY_MODE", mode)
			out := t.TempDir()
			for _, name := range names {
				w.hook(name, strings.ReplaceAll(dump, "$GIT_TEST_OUT", out))
			}
			old := git(t, w.client, "rev-parse", "main")
			git(t, w.client, "tag", "v1")
			commit(t, w.client, "two", "two")
			new := git(t, w.client, "rev-parse", "main")
			w.mustPush([]string{"origin", "main", "v1"})
			w.is("refs/heads/main", "main")
			for _, name := range names {
				lines := strings.Split(readFile(t, filepath.Join(out, name)), "\n")
				for _, want := range []string{
					"GIT_XMPP_PEER_JID=" + testJID, "GIT_XMPP_PEER_UUID=" + aliceUUID, "GIT_XMPP_PEER_KEY=" + testKey,
					"GIT_XMPP_PEER_LABEL=alice", "hooksPath=", "reflogs=",
				} {
					if !slices.Contains(lines, want) {
						t.Errorf("%s doesn't see %s", name, want)
					}
				}
				for _, line := range lines {
					for _, leak := range []string{"GIT_COMMITTER_", "GIT_CONFIG", envHooks, envIntegrate, "GIT_AUTHOR", "config receive.", "TOY_PID_FILE=x"} {
						if strings.HasPrefix(line, leak) {
							t.Errorf("%s sees %s", name, line)
						}
					}
				}
			}
			w.says(readFile(t, filepath.Join(out, "pre-receive")), "input "+old+" "+new+" refs/heads/main")
			w.says(readFile(t, filepath.Join(out, "post-receive")), "input "+old+" "+new+" refs/heads/main")
			w.says(readFile(t, filepath.Join(out, "update")), "args refs/heads/main "+old+" "+new, "args refs/tags/v1")
			w.says(readFile(t, filepath.Join(out, "reference-transaction")), "args committed", "input "+old+" "+new+" refs/heads/main")
		})
	}
}

// After a diverged push hooks are told of the ref that was really written.
func TestHooksToldOfFallbackRef(t *testing.T) {
	w := newWorld(t, "--bare")
	out := t.TempDir()
	w.diverge()
	for _, name := range []string{"update", "post-receive"} {
		w.hook(name, strings.ReplaceAll(dump, "$GIT_TEST_OUT", out))
	}
	w.mustPush(toMain)
	new := git(t, w.client, "rev-parse", "main")
	change := strings.Repeat("0", 40) + " " + new
	w.says(readFile(t, filepath.Join(out, "update")), "args "+syncedRef+" "+change)
	w.says(readFile(t, filepath.Join(out, "post-receive")), "input "+change+" "+syncedRef)
}

func TestHookRefuses(t *testing.T) {
	for name, script := range map[string]string{
		"pre-receive":           "echo no entry; exit 1",
		"update":                "echo no entry; exit 1",
		"reference-transaction": `cat >/dev/null; [ "$1" != prepared ] || { echo no entry; exit 1; }`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.hook(name, script)
			commit(t, w.client, "two", "two")
			out, status := w.push(toMain...)
			if status != 1 {
				t.Errorf("exit status %d", status)
			}
			w.says(out, "remote: no entry", "[remote rejected] main -> main")
			w.is("refs/heads/main", "main~1")
			w.is(syncedRef, "")
			if s := git(t, w.server, "status", "--porcelain"); s != "" {
				t.Errorf("the work tree isn't as before:\n%s", s)
			}
		})
	}
}

func TestHookRefusesOneOfTwo(t *testing.T) {
	w := newWorld(t, "--bare")
	w.hook("update", `[ "$1" = refs/heads/main ]`)
	commit(t, w.client, "two", "two")
	out, status := w.push("origin", "main:bad", "main")
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
	w.says(out, "main -> bad (hook declined)", "main -> main")
	w.is("refs/heads/main", "main")
	w.is("refs/heads/bad", "")
}

func TestHooksPathOfTheRepository(t *testing.T) {
	for name, path := range map[string]string{"absolute": "/", "relative to the git dir": ""} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if path == "/" {
				path = t.TempDir() + "/"
			}
			git(t, w.server, "config", "core.hooksPath", path+"my-hooks")
			w.hook("pre-receive", "echo ran from $(git config core.hooksPath); exit 1")
			if path == "" { // git resolves it from where the hooks run
				if err := os.Rename(w.server+"/my-hooks", w.server+"/.git/my-hooks"); err != nil {
					t.Fatal(err)
				}
			}
			commit(t, w.client, "two", "two")
			out, _ := w.push(toMain...)
			w.says(out, "remote: ran from "+path+"my-hooks", "pre-receive hook declined")
		})
	}
}

func TestHooksAreNotRunIfNotExecutable(t *testing.T) {
	w := newWorld(t, "--bare")
	w.hook("pre-receive", "exit 1")
	if err := os.Chmod(w.server+"/hooks/pre-receive", 0o644); err != nil {
		t.Fatal(err)
	}
	commit(t, w.client, "two", "two")
	w.mustPush(toMain, "main -> main")
}

func TestReflogNamesTheSender(t *testing.T) {
	for name, initArgs := range map[string][]string{"work tree": nil, "bare": {"--bare"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, initArgs...)
			git(t, w.client, "tag", "v1")
			commit(t, w.client, "two", "two")
			w.mustPush([]string{"origin", "main", "v1", "main:topic"})
			w.diverge()
			w.mustPush(toMain, "[new reference]")
			want := "push over xmpp from alice " + testJID + " " + aliceUUID + " " + testKey
			refs := []string{"refs/heads/main", "refs/heads/topic", syncedRef}
			if !w.bare() {
				refs = append(refs, "HEAD")
			}
			for _, ref := range refs {
				log := git(t, w.server, "reflog", "show", "--format=%gs", ref)
				w.says(log, want)
			}
			w.says(git(t, w.server, "reflog", "show", "--format=%gn <%ge>", "refs/tags/v1"), "alice (xmpp) <"+testJID+">")
		})
	}
}

func TestSyncedRefsOfOthersAreHidden(t *testing.T) {
	w := newWorld(t, "--bare")
	other := "refs/synced/" + otherUUID + "/main"
	git(t, w.server, "update-ref", other, "main")
	git(t, w.server, "update-ref", "refs/synced/"+aliceUUID+"/x", "main")
	for _, ref := range []string{other, "refs/synced/" + otherUUID + "/new", "refs/synced/" + otherUUID + ".1/new", "refs/synced/" + aliceUUID + ".10/x", "refs/synced"} {
		commit(t, w.client, "two", ref)
		if out, status := w.push("origin", "main:"+ref); status == 0 {
			t.Errorf("%s: accepted\n%s", ref, out)
		}
	}
	git(t, w.server, "rev-parse", other)
	w.is("refs/synced/"+otherUUID+"/new", "")
	w.mustPush([]string{"origin", "main:refs/synced/" + aliceUUID + "/x", "main:refs/synced/" + aliceUUID + ".9/x"})
	w.is("refs/synced/"+aliceUUID+"/x", "main")
}

func TestShimsAreMadeOnceAndWhole(t *testing.T) {
	data, own := t.TempDir(), t.TempDir()
	for name, mode := range map[string]os.FileMode{
		"update": 0o755, "pre-receive": 0o755, "post-receive": 0o644, "pre-push.sample": 0o755, "README": 0o755,
	} {
		writeFile(t, filepath.Join(own, name), "#!/bin/sh\n", mode)
	}
	first, err := HooksDir(data).shims(own, procReceive)
	if err != nil {
		t.Fatal(err)
	}
	direct, err := HooksDir(data).shims(own)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(first, "update")); err != nil { // somebody cleans up
		t.Fatal(err)
	}
	again, err := HooksDir(data).shims(own, procReceive)
	if err != nil || again != first {
		t.Fatalf("%s, %v; was %s", again, err, first)
	}
	for dir, want := range map[string][]string{
		first: {"pre-receive", "proc-receive", "update"}, direct: {"pre-receive", "update"},
		filepath.Join(data, "hooks"): {filepath.Base(first), filepath.Base(direct)},
	} {
		var names []string
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("%s has %v, want %v", dir, names, want)
		}
	}
}

func TestIsHook(t *testing.T) {
	for argv0, want := range map[string]string{
		"/x/hooks/proc-receive": "proc-receive", "update": "update",
		"/usr/bin/git-remote-xmpp": "", "/x/Makefile": "",
	} {
		name, ok := IsHook(argv0, func(string) string { return filepath.Join(os.TempDir(), "hooks") })
		if name != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", argv0, name, ok)
		}
	}
	if _, ok := IsHook("update", func(string) string { return "" }); ok {
		t.Error("a hook without our environment")
	}
}
