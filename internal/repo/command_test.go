package repo

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCommandRefusesBadArguments(t *testing.T) {
	w := newWorld(t)
	repo, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	good := Sender{testJID, aliceUUID, testKey, "alice"}
	with := func(change func(*Sender)) Sender { s := good; change(&s); return s }
	for name, test := range map[string]struct {
		service Service
		version int
		sender  Sender
		policy  Policy
	}{
		"service":         {"git-shell", 0, good, Policy{}},
		"version":         {ReceivePack, 3, good, Policy{}},
		"mode":            {ReceivePack, 0, good, Policy{Mode: "wild"}},
		"integrate":       {ReceivePack, 0, good, Policy{Integrate: "wild"}},
		"line in label":   {UploadPack, 0, with(func(s *Sender) { s.Label = "a\nb" }), Policy{}},
		"not UTF-8":       {UploadPack, 0, with(func(s *Sender) { s.Label = "\xff" }), Policy{}},
		"long key":        {UploadPack, 0, with(func(s *Sender) { s.Key = strings.Repeat("k", 4000) }), Policy{}},
		"no address":      {UploadPack, 0, with(func(s *Sender) { s.JID = "" }), Policy{}},
		"push, no uuid":   {ReceivePack, 0, with(func(s *Sender) { s.UUID = "" }), Policy{}},
		"uuid with slash": {ReceivePack, 0, with(func(s *Sender) { s.UUID = "../heads" }), Policy{}},
		"upper-case uuid": {ReceivePack, 0, with(func(s *Sender) { s.UUID = strings.ToUpper("aaaaaaaa-1111-4111-8111-111111111111") }), Policy{}},
	} {
		if _, err := repo.Command(t.Context(), test.service, test.version, test.sender, test.policy, HooksDir(w.data)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCommandEnvironment(t *testing.T) {
	w := newWorld(t)
	t.Setenv("GIT_DIR", "/nowhere")
	t.Setenv("GIT_XMPP_PASSWORD", "secret")
	t.Setenv("LANG", "de_DE.UTF-8")
	repo, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := repo.Command(t.Context(), UploadPack, 2, Sender{JID: testJID}, Policy{}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range cmd.Env {
		name, _, _ := strings.Cut(kv, "=")
		if name == "LANG" || strings.HasPrefix(name, "GIT_") && name != "GIT_PROTOCOL" && !strings.HasPrefix(name, "GIT_XMPP_PEER_") {
			t.Errorf("git sees %s", kv)
		}
	}
	if !slices.Contains(cmd.Env, "GIT_PROTOCOL=version=2") || !slices.Contains(cmd.Env, "LC_ALL=C") {
		t.Error("variables are missing")
	}
}

func TestHideSynced(t *testing.T) {
	mine := "refs/synced/" + aliceUUID
	for name, test := range map[string]struct{ own, want []string }{
		"nothing of its own": {nil, []string{"refs/synced", "!" + mine}},
		"something else":     {[]string{"refs/pull"}, []string{"refs/synced", "!" + mine}},
		"all synced refs":    {[]string{"refs/synced"}, []string{"refs/synced"}},
		"everything":         {[]string{"refs", "!refs/heads"}, []string{"refs/synced"}},
		"shown again":        {[]string{"refs", "!refs/synced"}, []string{"refs/synced", "!" + mine}},
		"this one":           {[]string{"^" + mine + "/"}, []string{"refs/synced"}},
		"a part of it":       {[]string{mine + "/wip"}, []string{"refs/synced", "!" + mine, mine + "/wip"}},
		"a similar name":     {[]string{mine + "x"}, []string{"refs/synced", "!" + mine}},
	} {
		if got := hideSynced(test.own, aliceUUID); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestOwnHiddenRefsStayHidden(t *testing.T) {
	w := newWorld(t, "--bare")
	git(t, w.server, "config", "transfer.hideRefs", "refs/synced")
	git(t, w.server, "config", "--add", "receive.hideRefs", "refs/secret")
	commit(t, w.client, "two", "two")
	for _, ref := range []string{"refs/synced/" + aliceUUID + "/x", "refs/secret/x"} {
		if out, status := w.push("origin", "main:"+ref); status == 0 {
			t.Errorf("%s: accepted\n%s", ref, out)
		}
		w.is(ref, "")
	}
	w.diverge()
	w.mustPush(toMain, "[new reference] main -> "+syncedRef) // the hook is no pusher
}

// waitFor waits until a file exists and returns what is in it.
func waitFor(t *testing.T, path string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
			return strings.TrimSpace(string(b))
		}
	}
	t.Fatalf("%s doesn't appear", path)
	return ""
}

// A push that is stopped while a hook of the repository's own hangs leaves
// nothing behind.
func TestStoppedPushLeavesNothing(t *testing.T) {
	for name, hook := range map[string]string{"in quarantine": "pre-receive", "in our hook": "update"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before := listing(t, w.server)
			file, dir := filepath.Join(t.TempDir(), "pid"), t.TempDir()
			t.Setenv("TOY_PID_FILE", file)
			// The group's number is the one of git receive-pack.
			w.hook(hook, "ps -o pgid= -p $$ >"+dir+"/group.new; mv "+dir+"/group.new "+dir+"/group; sleep 600 & wait")
			commit(t, w.client, "two", "two")
			cmd := exec.CommandContext(t.Context(), "git", "push", "origin", "main")
			cmd.Dir = w.client
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			group := waitFor(t, filepath.Join(dir, "group"))
			helper, err := strconv.Atoi(waitFor(t, file))
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(helper, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if cmd.Wait() == nil {
				t.Error("git push says that all is well")
			}
			waitGone(t, group)
			w.is("refs/heads/main", "main~1")
			git(t, w.server, "fsck")
			git(t, w.server, "gc", "-q", "--prune=now")
			for _, path := range listing(t, w.server) {
				if !slices.Contains(before, path) && (strings.HasSuffix(path, ".lock") || strings.Contains(path, "incoming") || strings.Contains(path, "tmp_")) {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

// waitGone waits until no process of a group is alive.
func waitGone(t *testing.T, group string) {
	t.Helper()
	var out []byte
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var err error
		if out, err = exec.CommandContext(t.Context(), "ps", "-eo", "pgid=,stat=,args=").Output(); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(strings.Split(string(out), "\n"), func(line string) bool {
			f := strings.Fields(line)
			return len(f) > 1 && f[0] == group && !strings.HasPrefix(f[1], "Z")
		}) {
			return
		}
	}
	t.Fatalf("processes of group %s are left:\n%s", group, out)
}

func listing(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
