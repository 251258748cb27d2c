package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

const (
	pushersMark = "of-the-pusher" // in the value of whatever the pusher sets
	serversMark = "of-the-server" // in the value of what serve is started with, and keeps to itself
)

// Variables that a hook may see of git and of this program. Everything else that it sees, serve was started with.
var (
	seenAlways      = []string{"GIT_DIR", "GIT_EXEC_PATH", "GIT_PROTOCOL", "GIT_XMPP_PEER_JID", "GIT_XMPP_PEER_UUID", "GIT_XMPP_PEER_KEY", "GIT_XMPP_PEER_LABEL"}
	seenPushOptions = []string{"GIT_PUSH_OPTION_COUNT", "GIT_PUSH_OPTION_0"}
	seenQuarantine  = []string{"GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"}
	seenByHooks     = map[string][]string{
		"pre-receive": slices.Concat(seenPushOptions, seenQuarantine), "update": nil, "post-receive": seenPushOptions, "post-update": nil,
		"reference-transaction": {"GIT_PREFIX"}, "push-to-checkout": {"GIT_WORK_TREE"}, "pack-objects": {"GIT_NO_LAZY_FETCH"},
	}
	shellsOwn = []string{"PWD", "OLDPWD", "SHLVL", "_"}
)

// Nothing of the pusher's environment or settings reaches git and hooks on the serving side but the protocol's version, and nothing that
// serve itself was told by variables of git's or of this program.
func TestEnvironmentIsNotPassedOn(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	for _, mode := range []string{"fallback", "direct"} {
		t.Run(mode, func(t *testing.T) {
			e := newEnvironment(t, s, mode)
			hooks := []string{"pre-receive", "update", "post-receive", "post-update", "reference-transaction"}
			if mode == "direct" {
				hooks = append(hooks, "push-to-checkout")
			}
			e.forget(t)
			e.push(t)
			for _, name := range hooks {
				e.checkSeen(t, name)
			}
			e.forget(t)
			e.fetch(t)
			e.checkSeen(t, "pack-objects")
			e.checkTraces(t)
		})
	}
}

// An environment is Bob, whose repository has hooks that write down their environments, and Alice, each with settings by variables.
type environment struct {
	bob, alice    *home
	served, clone string
	dumps         string // folder
	secrets       []string
	serveEnv      []string
}

// dump is the command by which a hook adds its environment to its file.
func (e *environment) dump(hook string) string {
	return "{ env -0; printf '\\n\\0'; } >>'" + filepath.Join(e.dumps, hook) + "'\n"
}

// forget removes what hooks have written down.
func (e *environment) forget(t *testing.T) {
	t.Helper()
	for name := range seenByHooks {
		if err := os.Remove(filepath.Join(e.dumps, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

func newEnvironment(t *testing.T, s *testserver.Server, mode string) *environment {
	t.Helper()
	e := &environment{bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice"), dumps: t.TempDir()}
	e.served = e.bob.newRepo("proj")
	e.bob.git(e.served, "config", "xmpp.pushMode", mode)
	e.bob.git(e.served, "config", "receive.advertisePushOptions", "true") // as fallback mode has it
	e.bob.git(e.served, "config", "receive.denyCurrentBranch", "updateInstead")
	for name := range seenByHooks {
		if name != "pack-objects" && (name != "push-to-checkout" || mode == "direct") {
			hook(t, e.served, name, "#!/bin/sh\n"+e.dump(name))
		}
	}
	script := filepath.Join(e.bob.dir, "pack-objects")
	writeProgram(t, script, "#!/bin/sh\n"+e.dump("pack-objects")+"exec \"$@\"\n")
	e.bob.git(e.bob.dir, "config", "--global", "uploadpack.packObjectsHook", script)
	e.bob.xmpp(e.served, "invite") // makes the key
	identity, err := os.ReadFile(filepath.Join(e.bob.dataDir(), "identity"))
	if err != nil {
		t.Fatal(err)
	}
	e.secrets = append(keySecrets(t, e.bob), s.Accounts["bob"], s.Accounts["alice"])
	other := e.bob.newRepo("other")
	serving := *e.bob
	serving.env = append(slices.Clone(e.bob.env), junkEnv(t, e.bob, serversMark, filepath.Join(other, ".git"))...)
	serving.env = append(serving.env, "GIT_XMPP_IDENTITY="+string(identity), "GIT_XMPP_TIMEOUT=100", "NOT_OF_GIT=seen")
	e.serveEnv = serving.env
	serving.serve(e.bob.dir, e.served)
	e.alice.git(e.alice.dir, "clone", "--quiet", e.bob.xmpp(e.served, "invite", "--label", "Alice"), "clone")
	e.clone = filepath.Join(e.alice.dir, "clone")
	e.secrets = append(e.secrets, keySecrets(t, e.alice)...)
	return e
}

// junkEnv is variables of git's that would have an effect where they get to. They name the repository in gitDir; the values of the others have a mark.
func junkEnv(t *testing.T, h *home, mark, gitDir string) []string {
	t.Helper()
	hooks := filepath.Join(h.dir, mark)
	if err := os.MkdirAll(hooks, 0o700); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ntouch '" + filepath.Join(h.dir, "ran-"+mark) + "'\nexit 1\n"
	for name := range seenByHooks {
		if name != "reference-transaction" || mark == serversMark { // the pusher's own git would run that one
			writeProgram(t, filepath.Join(hooks, name), script)
		}
	}
	return []string{
		"GIT_DIR=" + gitDir, "GIT_OBJECT_DIRECTORY=" + filepath.Join(gitDir, "objects"), "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + filepath.Join(h.dir, mark), "GIT_NAMESPACE=" + mark,
		"GIT_TRACE=" + filepath.Join(h.dir, "trace-"+mark), "GIT_TRACE_PACKET=" + filepath.Join(h.dir, "packets-"+mark), "GIT_TRACE2_EVENT=" + filepath.Join(h.dir, "events-"+mark),
		"GIT_SSH_COMMAND=" + mark, "GIT_SSH=" + mark, "GIT_ASKPASS=" + mark, "SSH_ASKPASS=" + mark, "GIT_EDITOR=" + mark, "GIT_PAGER=" + mark, "GIT_PROXY_COMMAND=" + mark,
		"GIT_AUTHOR_NAME=" + mark, "GIT_AUTHOR_EMAIL=" + mark, "GIT_COMMITTER_NAME=" + mark, "GIT_COMMITTER_EMAIL=" + mark, "GIT_REFLOG_ACTION=" + mark,
		"GIT_PROTOCOL=version=1:" + mark, "GIT_EXTERNAL_DIFF=" + mark, "GIT_CEILING_DIRECTORIES=/" + mark, "GIT_PUSH_OPTION_COUNT=1", "GIT_PUSH_OPTION_0=" + mark,
		"GIT_XMPP_PEER_JID=" + mark, "GIT_XMPP_PEER_LABEL=" + mark, "GIT_XMPP_INTEGRATE=" + mark, "GIT_XMPP_SOMETHING=" + mark, "LANG=" + mark, "LANGUAGE=" + mark, "LC_MESSAGES=" + mark,
		"GIT_CONFIG_COUNT=4", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0=" + hooks, "GIT_CONFIG_KEY_1=uploadpack.packObjectsHook", "GIT_CONFIG_VALUE_1=" + filepath.Join(hooks, "pack-objects"),
		"GIT_CONFIG_KEY_2=receive.denyCurrentBranch", "GIT_CONFIG_VALUE_2=refuse", "GIT_CONFIG_KEY_3=transfer.hideRefs", "GIT_CONFIG_VALUE_3=refs/heads",
		"GIT_CONFIG_PARAMETERS='user.signingKey'='" + mark + "'",
	}
}

func writeProgram(t *testing.T, path, script string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil { //nolint:gosec // a program is executable
		t.Fatal(err)
	}
}

// as runs git as Alice from a folder that isn't the clone, with variables and -c that name the clone and much else.
func (e *environment) as(t *testing.T, args ...string) {
	t.Helper()
	cmd := e.alice.command(e.alice.dir, "git", append([]string{"-c", "core.sshCommand=" + pushersMark, "-c", "receive.denyDeletes=true"}, args...)...)
	cmd.Env = append(slices.Clone(e.alice.env), junkEnv(t, e.alice, pushersMark, filepath.Join(e.clone, ".git"))...)
	cmd.Env = append(cmd.Env, "GIT_WORK_TREE="+e.clone, "PUSHERS_OWN="+pushersMark)
	if r := run(t, cmd); r.status != 0 {
		t.Fatalf("git %v: %v", args, r)
	}
}

func (e *environment) push(t *testing.T) {
	t.Helper()
	pushed := e.alice.commit(e.clone, "pushed")
	e.as(t, "push", "--quiet", "--push-option=given", "xmpp::bob@localhost/proj", "main", "main:topic")
	for _, branch := range []string{"main", "topic"} {
		if got := e.bob.git(e.served, "rev-parse", branch); got != pushed {
			t.Errorf("%s is %s, want %s", branch, got, pushed)
		}
	}
}

func (e *environment) fetch(t *testing.T) {
	t.Helper()
	head := e.bob.commit(e.served, "fetched")
	e.as(t, "fetch", "--quiet", "xmpp::bob@localhost/proj", "main:refs/heads/fetched")
	if got := e.alice.git(e.clone, "rev-parse", "fetched"); got != head {
		t.Errorf("fetched %s, want %s", got, head)
	}
}

// seen is what a hook saw, at each of its runs.
func (e *environment) seen(t *testing.T, hook string) []map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(e.dumps, hook))
	if err != nil {
		t.Fatal(err)
	}
	var runs []map[string]string
	for record := range strings.SplitSeq(strings.TrimSuffix(string(text), "\x00\n\x00"), "\x00\n\x00") {
		vars := make(map[string]string)
		for kv := range strings.SplitSeq(record, "\x00") {
			name, value, _ := strings.Cut(kv, "=")
			vars[name] = value
		}
		runs = append(runs, vars)
	}
	return runs
}

func (e *environment) checkSeen(t *testing.T, hook string) {
	t.Helper()
	for _, seen := range e.seen(t, hook) {
		for name, value := range seen {
			if !e.maySee(hook, name, value) {
				t.Errorf("%s sees %s=%q", hook, name, value)
			}
			for _, mark := range append([]string{pushersMark}, e.secrets...) {
				if strings.Contains(value, mark) {
					t.Errorf("%s sees %s=%q, with %q", hook, name, value, mark)
				}
			}
		}
		for name, want := range map[string]string{
			"GIT_XMPP_PEER_JID": "alice@localhost", "GIT_XMPP_PEER_LABEL": "Alice", "GIT_XMPP_PEER_KEY": e.alice.key(), "NOT_OF_GIT": "seen", "HOME": e.bob.dir, "GIT_PROTOCOL": "version=2",
		} {
			if seen[name] != want {
				t.Errorf("%s sees %s=%q, want %q", hook, name, seen[name], want)
			}
		}
		if option, ok := seen["GIT_PUSH_OPTION_0"]; ok && option != "given" {
			t.Errorf("%s sees the push option %q", hook, option)
		}
	}
}

// maySee tells whether a variable is one of those that git makes for the hook, or that serve was started with and that choose neither a
// repository nor a language.
func (e *environment) maySee(hook, name, value string) bool {
	switch {
	case hook == "pack-objects" && name == "GIT_CONFIG_PARAMETERS": // by which serve hides refs of other peers
		return value != "" && strings.Count(value, "'=") == strings.Count(value, "'uploadpack.hideRefs'=")
	case strings.HasPrefix(name, "GIT_"):
		return (slices.Contains(seenAlways, name) || slices.Contains(seenByHooks[hook], name)) && !strings.Contains(value, serversMark)
	case slices.Contains(shellsOwn, name):
		return true
	case name == "LANG", name == "LANGUAGE", name == "LC_MESSAGES":
		return false
	}
	for _, kv := range e.serveEnv {
		if given, ok := strings.CutPrefix(kv, name+"="); ok && (value == given || name == "PATH" && strings.HasSuffix(value, given)) {
			return true
		}
	}
	return false
}

// checkTraces expects that what the pusher traces stays on its side, and what serve traces has nothing of the services.
func (e *environment) checkTraces(t *testing.T) {
	t.Helper()
	for mark, h := range map[string]*home{pushersMark: e.alice, serversMark: e.bob} {
		if _, err := os.Stat(filepath.Join(h.dir, "ran-"+mark)); err == nil {
			t.Errorf("a hook %s ran", mark)
		}
	}
	for name, want := range map[string]string{"trace-": "git-remote-xmpp", "packets-": "push> ", "events-": "remote-xmpp"} {
		text, err := os.ReadFile(filepath.Join(e.alice.dir, name+pushersMark))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("the pusher's %s has no %q", name, want)
		}
		if strings.Contains(string(text), e.served) {
			t.Errorf("the pusher's %s tells of %s", name, e.served)
		}
		ours, err := os.ReadFile(filepath.Join(e.bob.dir, name+serversMark))
		if err != nil && (name == "trace-" || !os.IsNotExist(err)) { // its own questions to git are in the first
			t.Fatal(err)
		}
		for _, service := range []string{"upload-pack", "receive-pack", "pack-objects", "index-pack", "unpack-objects"} {
			if strings.Contains(string(ours), service) {
				t.Errorf("serve's %s tells of %s", name, service)
			}
		}
	}
}
