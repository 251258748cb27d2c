//go:build unix

package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeManager puts a systemctl into PATH that fails for some arguments; calls are what it was called with since the last time.
func fakeManager(t *testing.T, failing string) (calls func() string) {
	t.Helper()
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	script := fmt.Sprintf("#!/bin/sh\necho \"$*\" >>%s\ncase \"$*\" in %s) echo no such thing >&2; echo more >&2; exit 1;; esac\n", log, failing)
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(script), 0o700); err != nil { //nolint:gosec // a program is executable
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return func() string {
		content, err := os.ReadFile(log)
		if err != nil {
			return ""
		}
		_ = os.Remove(log)
		return strings.ReplaceAll(string(content), "--user ", "")
	}
}

func linuxPlan(t *testing.T, config string, args ...string) Plan {
	t.Helper()
	plan, err := Definition{Program: "/bin/true", Args: args}.Plan(Place{GOOS: "linux", Home: "/nowhere", Config: config})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

const (
	probed  = "show --property=Version\n"
	started = probed + "daemon-reload\nenable git-remote-xmpp.service\nrestart git-remote-xmpp.service\n"
)

func TestInstall(t *testing.T) {
	calls, config := fakeManager(t, "nothing"), t.TempDir()
	first, second := linuxPlan(t, config, "one"), linuxPlan(t, config, "two")
	var out strings.Builder
	if err := first.Uninstall(t.Context(), false, &out); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "nothing is installed") {
		t.Errorf("nothing to uninstall: %v", err)
	}
	for _, plan := range []Plan{first, first, second} { // what nobody has changed is replaced
		out.Reset()
		if err := plan.Install(t.Context(), false, &out); err != nil {
			t.Fatal(err)
		}
		if got := calls(); got != started {
			t.Errorf("it ran %s", got)
		}
	}
	file := filepath.Join(config, "systemd/user/git-remote-xmpp.service")
	want := "wrote " + file + "\nran systemctl --user daemon-reload\nran systemctl --user enable git-remote-xmpp.service\nran systemctl --user restart git-remote-xmpp.service\n" +
		"its log: journalctl --user --unit=git-remote-xmpp\nto have it run while you aren't logged in: loginctl enable-linger\n"
	if out.String() != want {
		t.Errorf("it says %s", out.String())
	}
	content, err := os.ReadFile(file)
	if err != nil || string(content) != string(second.Content) || !strings.Contains(string(content), "ExecStart=\"/bin/true\" \"two\"\n") {
		t.Errorf("the unit is %s, %v", content, err)
	}

	changed := strings.Replace(string(content), "RestartSec=30", "RestartSec=5", 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"install": first.Install(t.Context(), false, &out), "uninstall": first.Uninstall(t.Context(), false, &out)} {
		if !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s a changed one: %v", what, err)
		}
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != changed || calls() != "" {
		t.Errorf("it was touched: %s, %v", now, err)
	}
	if err := first.Install(t.Context(), true, &out); err != nil || calls() != started {
		t.Errorf("by force: %v", err)
	}
	out.Reset()
	if err := first.Uninstall(t.Context(), false, &out); err != nil {
		t.Error(err)
	}
	if got, want := calls(), probed+"disable --now git-remote-xmpp.service\n"+probed+"daemon-reload\n"; got != want {
		t.Errorf("it ran %s", got)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) || !strings.Contains(out.String(), "removed "+file+"\n") {
		t.Errorf("it is there: %v; it says %s", err, out.String())
	}
}

// Where no service manager answers, the user is told what to run; where it can't start the service, that is an error.
func TestInstallWithout(t *testing.T) {
	for _, failing := range []string{`*show*`, `*restart*`} {
		calls, config := fakeManager(t, failing), t.TempDir()
		var out strings.Builder
		err := linuxPlan(t, config).Install(t.Context(), false, &out)
		if _, missing := os.Stat(filepath.Join(config, "systemd/user/git-remote-xmpp.service")); missing != nil {
			t.Error(missing)
		}
		if failing == `*restart*` {
			if err == nil || err.Error() != "systemctl --user restart git-remote-xmpp.service: exit status 1: no such thing" {
				t.Errorf("error %v", err)
			}
			continue
		}
		want := "systemctl doesn't answer here; where it does, run:\n    systemctl --user daemon-reload\n    systemctl --user enable git-remote-xmpp.service\n    systemctl --user restart git-remote-xmpp.service\n"
		if err != nil || calls() != probed || !strings.Contains(out.String(), want) {
			t.Errorf("error %v; it says %s", err, out.String())
		}
	}
}
