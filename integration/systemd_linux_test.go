package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// userManager starts a systemd for the services of a home, in namespaces of its own, and returns how a program is run beside it. Where that can't be done the test
// is skipped.
func userManager(t *testing.T, h *home) (beside func(args ...string) result) {
	t.Helper()
	const manager = "/lib/systemd/systemd"
	if _, err := os.Stat(manager); err != nil || os.Geteuid() != 0 {
		t.Skip("there is no systemd, or it can't be started: that needs root")
	}
	runtime := filepath.Join(h.dir, "run")
	if err := os.MkdirAll(runtime, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	// It wants to see that the machine was booted with systemd, and not to be the first process, which is the shell.
	script := "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && unshare --cgroup " + manager + " --user; exit 1"
	cmd := exec.CommandContext(ctx, "unshare", "--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "/bin/sh", "-c", script)
	for _, kv := range h.env {
		if !strings.HasPrefix(kv, "GIT_") { // nothing of the user's shell
			cmd.Env = append(cmd.Env, kv)
		}
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, 5*time.Second
	if err := cmd.Start(); err != nil {
		t.Skipf("no namespaces: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	var first string // process of the namespaces
	beside = func(args ...string) result {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "nsenter", append([]string{"--target", first, "--pid", "--mount", "env", "-C", h.dir}, args...)...)
		cmd.Env, cmd.Dir, cmd.WaitDelay = h.env, h.dir, 5*time.Second
		return run(t, cmd)
	}
	await(t, "systemd", func() bool {
		select {
		case <-ended:
			t.Fatalf("systemd doesn't come up: %s", said.String())
		default:
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		first = strings.TrimSpace(string(children))
		return err == nil && first != "" && beside("systemctl", "--user", "show", "--property=Version").status == 0
	})
	return beside
}

// By serve --install systemd starts serve, and counts it as started when peers can reach it; it has the password from git's credential helper. By serve --uninstall all of
// it goes.
func TestInstalledService(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	beside := userManager(t, bob)
	systemctl := func(args ...string) result { return beside(append([]string{"systemctl", "--user"}, args...)...) }
	program := filepath.Join(binDir, "git-remote-xmpp")
	bob.git(bob.dir, "config", "--global", "credential.helper", "store")
	approve := bob.command(bob.dir, "git", "credential", "approve")
	approve.Stdin = strings.NewReader("protocol=xmpp\nhost=" + s.Domain + "\nusername=bob\npassword=" + s.Accounts["bob"] + "\n")
	if r := run(t, approve); r.status != 0 {
		t.Fatal(r)
	}
	base := filepath.Join(bob.dir, `my %h $HOME "src"`)
	served := bob.newRepo(filepath.Join(filepath.Base(base), "proj"))
	r := beside(program, "serve", "--install", "--export-all", "--base-path", filepath.Base(base), "--log-format", "json")
	if r.status != 0 {
		t.Fatal(r)
	}
	unit := filepath.Join(bob.dir, "config/systemd/user/git-remote-xmpp.service")
	mustSay(t, r.stdout, "wrote "+unit+"\n", "ran systemctl --user enable git-remote-xmpp.service\n", "ran systemctl --user restart git-remote-xmpp.service\n")
	mustSay(t, r.stderr, "git-remote-xmpp: the service won't have GIT_XMPP_PASSWORD of this environment")
	if text, err := os.ReadFile(unit); err != nil || strings.Contains(string(text), s.Accounts["bob"]) {
		t.Errorf("the unit: %s, %v", text, err)
	}
	mustSay(t, systemctl("show", "--property=ActiveState,SubState,UnitFileState,Type", "git-remote-xmpp").stdout, "Type=notify\n", "ActiveState=active\n", "SubState=running\n", "UnitFileState=enabled")
	mustSay(t, systemctl("show", "--property=StatusText", "git-remote-xmpp").stdout, "StatusText=online as bob@localhost/git-")
	clone := filepath.Join(alice.dir, "clone")
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), clone)
	pushed := alice.commit(clone, "hers")
	alice.git(clone, "push", "--quiet", "origin", "main")
	if got := bob.git(served, "rev-parse", "main"); got != pushed {
		t.Errorf("main is %s, want %s", got, pushed)
	}
	mustSay(t, beside(program, "serve", "--uninstall").stdout, "ran systemctl --user disable --now git-remote-xmpp.service\nremoved "+unit+"\nran systemctl --user daemon-reload")
	mustSay(t, systemctl("show", "--property=LoadState,ActiveState", "git-remote-xmpp").stdout, "LoadState=not-found\n", "ActiveState=inactive\n")
	if r := bob.try(bob.dir, "git-remote-xmpp", "status"); r.status != 1 {
		t.Errorf("it still serves: %v", r)
	}
}
