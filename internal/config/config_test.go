package config

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// home is one user's home, with a repository in it.
type home struct {
	t    *testing.T
	dir  string // HOME
	repo string
	env  []string
}

func newHome(t *testing.T) *home {
	t.Helper()
	dir := t.TempDir()
	h := &home{t: t, dir: dir, repo: filepath.Join(dir, "repo"), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"SystemRoot=" + os.Getenv("SystemRoot"),
	}}
	h.git("init", "-q", h.repo)
	return h
}

func (h *home) git(args ...string) string {
	h.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Env, cmd.Dir = h.env, h.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (h *home) set(key, value string) {
	h.t.Helper()
	h.git("-C", h.repo, "config", key, value)
}

func (h *home) load(env ...string) (Settings, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return Load(ctx, h.repo, append(h.env[:len(h.env):len(h.env)], env...))
}

func (h *home) mustLoad(env ...string) Settings {
	h.t.Helper()
	s, err := h.load(env...)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	s := newHome(t).mustLoad()
	if !errors.Is(s.RequireAccount(), ErrNoAccount) || !strings.Contains(s.RequireAccount().Error(), "git config --global xmpp.account you@example.org") {
		t.Errorf("RequireAccount: %v", s.RequireAccount())
	}
	s.from = nil
	if s.Server != (ServerAddr{}) || s.CAFile != "" || s.Timeout != 2*time.Minute || s.PushMode != PushFallback ||
		s.Integrate != IntegrateFF || s.DirectPath != UseAuto || s.Agent != UseAuto || s.Sync || s.Export ||
		s.UUID != "" || s.ProtocolVersion != 2 || s.Trace != (Trace{}) {
		t.Errorf("defaults: %+v", s)
	}
}

func TestEverySettingOfGitConfig(t *testing.T) {
	h := newHome(t)
	for key, value := range map[string]string{
		"xmpp.account": "Bob@Example.org", "xmpp.server": "tls://[::1]:5223", "xmpp.sslCAInfo": "~/ca.pem",
		"xmpp.timeout": "7", "xmpp.pushMode": "direct", "xmpp.integrate": "merge", "xmpp.directPath": "relay",
		"xmpp.agent": "never", "xmpp.sync": "yes", "xmpp.export": "1", "xmpp.notify": "Room@muc.Example.org",
		"xmpp.uuid": "123E4567-e89b-12d3-a456-426614174000", "protocol.version": "1", "xmpp.unknown": "x",
		"xmpp.some.thing": "x",
	} {
		h.set(key, value)
	}
	s := h.mustLoad()
	if s.Account.String() != "bob@example.org" || s.RequireAccount() != nil {
		t.Errorf("account %v", s.Account)
	}
	if s.Server != (ServerAddr{HostPort: "[::1]:5223", DirectTLS: true}) {
		t.Errorf("server %+v", s.Server)
	}
	if s.Notify.String() != "room@muc.example.org" {
		t.Errorf("notify %v", s.Notify)
	}
	if s.CAFile != filepath.Join(h.dir, "ca.pem") {
		t.Errorf("CA file %q", s.CAFile)
	}
	if s.Timeout != 7*time.Second || s.PushMode != PushDirect || s.Integrate != IntegrateMerge || s.DirectPath != UseRelay ||
		s.Agent != UseNever || !s.Sync || !s.Export || s.UUID != "123e4567-e89b-12d3-a456-426614174000" || s.ProtocolVersion != 1 {
		t.Errorf("settings %+v", s)
	}
}

func TestPrecedence(t *testing.T) {
	h := newHome(t)
	h.git("config", "--global", "xmpp.timeout", "1")
	h.git("config", "--global", "--add", "xmpp.timeout", "2")
	h.git("config", "--global", "xmpp.account", "global@example.org")
	if s := h.mustLoad(); s.Timeout != 2*time.Second {
		t.Errorf("the last value counts: %v", s.Timeout)
	}
	h.set("xmpp.timeout", "3")
	if s := h.mustLoad(); s.Timeout != 3*time.Second || s.Account.String() != "global@example.org" {
		t.Errorf("local over global: %v, %v", s.Timeout, s.Account)
	}
	byCommand := "GIT_CONFIG_PARAMETERS='xmpp.timeout=4' 'xmpp.account=c@example.org' 'xmpp.sync' 'xmpp.server='"
	s := h.mustLoad(byCommand)
	if s.Timeout != 4*time.Second || s.Account.String() != "c@example.org" || !s.Sync || s.Server != (ServerAddr{}) {
		t.Errorf("git -c over config: %+v", s)
	}
	s = h.mustLoad(byCommand, "GIT_XMPP_TIMEOUT=5", "GIT_XMPP_ACCOUNT=e@example.org", "GIT_XMPP_SERVER=h:1", "GIT_XMPP_TRACE=1")
	if s.Timeout != 5*time.Second || s.Account.String() != "e@example.org" || s.Server.HostPort != "h:1" || s.Trace != (Trace{Enabled: true}) {
		t.Errorf("environment over git -c: %+v", s)
	}
	if s := h.mustLoad(byCommand, "GIT_XMPP_TIMEOUT="); s.Timeout != 4*time.Second {
		t.Errorf("an empty variable counts as unset: %v", s.Timeout)
	}
}

func TestGitCByRealGit(t *testing.T) {
	h := newHome(t)
	// An alias that begins with ! runs with git's own GIT_CONFIG_PARAMETERS,
	// as a remote helper does.
	out := h.git("-C", h.repo, "-c", "xmpp.account=c@example.org", "-c", "alias.environment=!env", "environment")
	for line := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(line, "GIT_CONFIG_PARAMETERS=") {
			if s := h.mustLoad(line); s.Account.String() != "c@example.org" {
				t.Errorf("account %v", s.Account)
			}
			return
		}
	}
	t.Fatalf("no GIT_CONFIG_PARAMETERS in\n%s", out)
}

func TestGitDirOfTheEnvironment(t *testing.T) {
	h := newHome(t)
	h.set("xmpp.timeout", "9")
	env := append(h.env, "GIT_DIR="+filepath.Join(h.repo, ".git"))
	s, err := Load(t.Context(), h.dir, env)
	if err != nil || s.Timeout != 9*time.Second {
		t.Errorf("%v, %v", s.Timeout, err)
	}
	s, err = Load(t.Context(), h.dir, h.env) // no repository
	if err != nil || s.Timeout != DefaultTimeout {
		t.Errorf("outside: %v, %v", s.Timeout, err)
	}
}

func TestRelativeCAFile(t *testing.T) {
	h := newHome(t)
	h.set("xmpp.sslCAInfo", "certs/ca.pem")
	if s := h.mustLoad(); s.CAFile != filepath.Join(h.repo, "certs", "ca.pem") {
		t.Errorf("CA file %q", s.CAFile)
	}
}

func TestBadValues(t *testing.T) {
	h := newHome(t)
	id := "not a UUID"
	for _, tt := range []struct{ key, value, want string }{
		{"xmpp.timeout", "soon", `xmpp.timeout: "soon" is not a number of seconds (1 to 86400)`},
		{"xmpp.timeout", "0", "number of seconds"},
		{"xmpp.timeout", "86401", "number of seconds"},
		{"xmpp.account", "example.org", "an account such as you@example.org"},
		{"xmpp.account", "a@example.org/home", "an account"},
		{"xmpp.account", "a@", "an account"},
		{"xmpp.account", "@b", "an account"},
		{"xmpp.account", "a@b c", "an account"},
		{"xmpp.account", "a@b:5222", "an account"},
		{"xmpp.server", "localhost", "host:port or tls://host:port"},
		{"xmpp.server", "localhost:0", "host:port"},
		{"xmpp.server", "localhost:65536", "host:port"},
		{"xmpp.server", ":5222", "host:port"},
		{"xmpp.server", "xmpp://localhost:5222", "host:port"},
		{"xmpp.server", "a b:5222", "host:port"},
		{"xmpp.pushMode", "force", `xmpp.pushMode: "force" is not one of: fallback, direct`},
		{"xmpp.integrate", "rebase", "one of: ff, merge, none"},
		{"xmpp.directPath", "always", "one of: auto, relay, never"},
		{"xmpp.agent", "always", "one of: auto, never"},
		{"xmpp.sync", "perhaps", "true or false"},
		{"xmpp.export", "perhaps", "true or false"},
		{"xmpp.notify", "muc.example.org", "the address of a room or a person"},
		{"xmpp.notify", "room@muc.example.org/nick", "the address of a room or a person"},
		{"xmpp.uuid", id, "a UUID"},
		{"xmpp.uuid", "{123e4567-e89b-12d3-a456-426614174000}", "a UUID"},
		{"protocol.version", "3", "one of: 0, 1, 2"},
		{"GIT_XMPP_TIMEOUT", "1h", `GIT_XMPP_TIMEOUT: "1h" is not a number of seconds`},
		{"GIT_XMPP_TRACE", "trace.log", "0, 1 (standard error) or the absolute path"},
		{"GIT_XMPP_TRACE", "7", "0, 1"},
		{"GIT_XMPP_SERVER", "a\nb:1", "host:port"},
		{"xmpp.timeout", strings.Repeat("9", 5000), "number of seconds"},
	} {
		env := tt.key + "=" + tt.value
		if strings.Contains(tt.key, ".") {
			env = "GIT_CONFIG_PARAMETERS='" + env + "'"
		}
		_, err := h.load(env)
		var bad *ValueError
		if !errors.As(err, &bad) || bad.Key != tt.key || bad.Value != tt.value || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%.40s: %v", tt.key, tt.value, err)
			continue
		}
		if strings.Contains(err.Error(), "\n") || len(err.Error()) > 250 {
			t.Errorf("%s: error %q", tt.key, err)
		}
	}
}

func TestTrace(t *testing.T) {
	h := newHome(t)
	file := filepath.Join(h.dir, "trace.log")
	for value, want := range map[string]Trace{
		"0": {}, "false": {}, "1": {Enabled: true}, "2": {Enabled: true}, "true": {Enabled: true},
		file: {Enabled: true, File: file},
	} {
		if s := h.mustLoad("GIT_XMPP_TRACE=" + value); s.Trace != want {
			t.Errorf("%s: %+v", value, s.Trace)
		}
	}
}

func TestBrokenGitConfig(t *testing.T) {
	h := newHome(t)
	if err := os.WriteFile(filepath.Join(h.dir, ".gitconfig"), []byte("[xmpp\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := h.load()
	if err == nil || !strings.Contains(err.Error(), ".gitconfig") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// Where git traces to standard error, what it complains about is still found.
func TestBrokenGitConfigTraced(t *testing.T) {
	h := newHome(t)
	h.set("xmpp.sslCAInfo", "~nobody-of-this-name/ca.pem")
	_, plain := h.load()
	_, traced := h.load("GIT_TRACE=1", "GIT_TRACE_SETUP=1")
	if plain == nil || traced == nil || plain.Error() != traced.Error() || strings.Contains(plain.Error(), "trace") {
		t.Errorf("%v; with a trace: %v", plain, traced)
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	h := newHome(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, h.repo, h.env); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
