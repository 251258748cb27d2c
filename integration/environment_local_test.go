package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// The version of git's protocol that the pusher has set, and nothing besides, is what git on the serving side answers in.
func TestProtocolVersionIsPassedOn(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	e := newEnvironment(t, s, "fallback")
	for version, answer := range map[string]string{"0": "fetch< ", "1": "fetch< version 1", "2": "fetch< version 2"} {
		for _, how := range []string{"-c", "GIT_CONFIG_COUNT", "global"} {
			head := e.bob.commit(e.served, "v"+version+how)
			cmd := e.alice.command(e.clone, "git", "fetch", "--quiet", "xmpp::bob@localhost/proj", "main")
			cmd.Env = append(slices.Clone(e.alice.env), "GIT_TRACE_PACKET=1", "GIT_PROTOCOL=version=2:object-format=evil\nGIT_EVIL=1")
			switch how {
			case "-c":
				cmd.Args = slices.Insert(cmd.Args, 1, "-c", "protocol.version="+version)
			case "GIT_CONFIG_COUNT":
				cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0="+version)
			case "global":
				e.alice.git(e.alice.dir, "config", "--global", "protocol.version", version)
			}
			r := run(t, cmd)
			if r.status != 0 || e.alice.git(e.clone, "rev-parse", "FETCH_HEAD") != head {
				t.Errorf("version %s by %s: %v", version, how, r)
			}
			for _, v := range []string{"1", "2"} {
				if said := strings.Contains(r.stderr, "fetch< version "+v); said != (v == version) {
					t.Errorf("version %s by %s: answered in version %s: %v", version, how, v, said)
				}
			}
			mustSay(t, r.stderr, answer)
			runs := e.seen(t, "pack-objects")
			seen := runs[len(runs)-1]
			want := "version=" + version
			if version == "0" {
				want = ""
			}
			if seen["GIT_PROTOCOL"] != want || seen["GIT_EVIL"] != "" {
				t.Errorf("version %s by %s: git there sees GIT_PROTOCOL=%q, %q", version, how, seen["GIT_PROTOCOL"], seen["GIT_EVIL"])
			}
		}
		e.alice.git(e.alice.dir, "config", "--global", "--unset", "protocol.version")
	}
}

// What git hands to its helper counts there: git -c, GIT_CONFIG_COUNT, and this program's own variables before both.
func TestEnvironmentReachesHelper(t *testing.T) {
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	counted := func(key, value string) []string {
		return []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=" + key, "GIT_CONFIG_VALUE_0=" + value}
	}
	for name, c := range map[string]struct {
		options, env []string
		status       int
		want         string
	}{
		"-c timeout":           {[]string{"-c", "xmpp.timeout=soon"}, nil, 128, `git-remote-xmpp: xmpp.timeout: "soon" is not a number of seconds`},
		"counted timeout":      {nil, counted("xmpp.timeout", "soon"), 128, `git-remote-xmpp: xmpp.timeout: "soon" is not a number of seconds`},
		"variable over both":   {[]string{"-c", "xmpp.timeout=soon"}, append(counted("xmpp.timeout", "later"), "GIT_XMPP_TIMEOUT=60"), 0, ""},
		"bad variable over -c": {[]string{"-c", "xmpp.timeout=60"}, []string{"GIT_XMPP_TIMEOUT=soon"}, 128, `git-remote-xmpp: GIT_XMPP_TIMEOUT: "soon" is not`},
		"-c account":           {[]string{"-c", "xmpp.account=carol@localhost"}, []string{"GIT_XMPP_TRACE=1"}, 128, "account=carol@localhost"},
		"counted account":      {nil, append(counted("xmpp.account", "carol@localhost"), "GIT_XMPP_TRACE=1"), 128, "account=carol@localhost"},
		"variable account":     {[]string{"-c", "xmpp.account=carol@localhost"}, []string{"GIT_XMPP_TRACE=1", "GIT_XMPP_ACCOUNT=alice@localhost"}, 0, "account=alice@localhost"},
		"-c server":            {[]string{"-c", "xmpp.server=127.0.0.1:1"}, nil, 128, "git-remote-xmpp: "},
		"-c over counted":      {[]string{"-c", "xmpp.timeout=60"}, counted("xmpp.timeout", "soon"), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := p.alice.command(p.clone, "git", append(c.options, "ls-remote", "origin")...)
			cmd.Env = append(slices.Clone(p.alice.env), c.env...)
			if r := run(t, cmd); r.status != c.status || !strings.Contains(r.stderr, c.want) {
				t.Errorf("%v; want status %d and %q", r, c.status, c.want)
			}
		})
	}
	trace := filepath.Join(p.alice.dir, "trace")
	cmd := p.alice.command(p.clone, "git", "ls-remote", "origin")
	cmd.Env = append(slices.Clone(p.alice.env), "GIT_TRACE="+trace)
	if r := run(t, cmd); r.status != 0 || r.stderr != "" {
		t.Errorf("with a trace to a file: %v", r)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	mustSay(t, string(text), "git ls-remote origin", "git-remote-xmpp origin", "built-in: git config") // the last is asked by the helper
}
