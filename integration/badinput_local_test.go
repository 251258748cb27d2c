package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// stranger is a home without keys and peers, with a repository that has never been used with the program.
func stranger(t *testing.T) badInput {
	t.Helper()
	down := &testserver.Server{Addr: closedPort(t), Domain: "localhost", CAFile: filepath.Join(t.TempDir(), "ca.pem"), Accounts: map[string]string{"alice": "alice-secret"}}
	h := newHome(t, down, "Alice", "alice")
	return badInput{home: h, dir: h.newRepo("plain"), url: "bob@localhost/proj", watched: []string{h.dir}, secrets: []string{"alice-secret", "invite-secret"}}
}

// What is wrong before anybody is asked.
func TestMalformedURLs(t *testing.T) {
	for url, line := range map[string]string{
		"bob":                               `malformed url "bob": no user, expected xmpp::user@host[/repo]`,
		"bob/proj":                          "no user",
		"@localhost/proj":                   "no user",
		"bob@/proj":                         "no host",
		"bob@local host/proj":               "no valid user@host",
		"bob@localhost:5222/proj":           "the host has a port (set xmpp.server instead)",
		"-oProxyCommand=x@localhost/proj":   "it begins with '-'",
		"bob@-x/proj":                       "no valid user@host",
		"bob@localhost/../proj":             "the repository has an empty, '.' or '..' element",
		"bob@localhost/a/../../proj":        "the repository has an empty, '.' or '..' element",
		"bob@localhost/%2e%2e/proj":         "the repository has an empty, '.' or '..' element",
		"bob@localhost/-x":                  "the repository has an element that begins with '-'",
		"bob@localhost//etc":                "the repository is an absolute path",
		`bob@localhost/..\proj`:             "the repository has a backslash",
		"bob@localhost/a%0ab":               "it has a control character",
		"bob@localhost/a%zz":                "a bad percent-encoding",
		"bob@localhost/\xff":                "it is not UTF-8",
		"bob@localhost/proj#main":           "it has a '#' (write %23)",
		"bob@localhost/proj?inv=a":          `unknown query key "inv"`,
		"bob@localhost/proj?invite=":        "not exactly one invite",
		"bob@localhost/proj?invite=a&x=y":   "unknown query key",
		"bob@?invite=invite-secret":         "no host",
		"bob@localhost/?invite=a&invite=b":  "not exactly one invite",
		"bob@localhost/" + longName():       "longer than 1024 bytes",
		"bob@localhost/p?invite=nonsense":   "the invite is damaged: copy it again",
		"bob@localhost/proj?invite=%00%01x": "it has a control character",
	} {
		t.Run(line, func(t *testing.T) {
			b := stranger(t)
			b.url, b.status, b.line = url, 2, line
			b.check(t)
		})
	}
}

func longName() string { return strings.Repeat("x", 1100) }

// Settings that can't be right, and those that are missing.
func TestBadSettings(t *testing.T) {
	for setting, line := range map[string]string{
		"xmpp.account=alice":          `xmpp.account: "alice" is not an account such as you@example.org`,
		"xmpp.account=alice@x/phone":  "is not an account such as",
		"xmpp.server=nowhere":         `xmpp.server: "nowhere" is not host:port or tls://host:port`,
		"xmpp.server=ssh://x:1":       "is not host:port or tls://host:port",
		"xmpp.timeout=soon":           `xmpp.timeout: "soon" is not a number of seconds (1 to 86400)`,
		"xmpp.timeout=0":              "is not a number of seconds",
		"xmpp.timeout=-1":             "is not a number of seconds",
		"xmpp.pushMode=force":         "is not one of: fallback, direct",
		"xmpp.integrate=rebase":       "is not one of: ff, merge, none",
		"xmpp.directPath=always":      "is not one of: auto, relay, never",
		"xmpp.agent=yes":              "is not one of: auto, never",
		"xmpp.sync=perhaps":           "is not true or false",
		"xmpp.export=perhaps":         "is not true or false",
		"xmpp.uuid=../x":              "is not a UUID",
		"GIT_XMPP_ACCOUNT=alice":      "GIT_XMPP_ACCOUNT: ",
		"GIT_XMPP_SERVER=nowhere":     "GIT_XMPP_SERVER: ",
		"GIT_XMPP_TIMEOUT=soon":       "GIT_XMPP_TIMEOUT: ",
		"GIT_XMPP_TRACE=some/file":    "GIT_XMPP_TRACE: ",
		"GIT_XMPP_IDENTITY=my-secret": "GIT_XMPP_IDENTITY: neither a key nor a file with one",
	} {
		t.Run(setting, func(t *testing.T) {
			b := stranger(t)
			b.status, b.line, b.env = 2, line, withSetting(setting)
			b.secrets = append(b.secrets, "my-secret")
			if strings.HasPrefix(setting, "GIT_XMPP_IDENTITY") {
				b.watched = []string{b.dir} // the folder for keys is made before one is read
			}
			b.check(t)
			for _, command := range []string{"serve", "invite", "peers"} {
				cmd := b.home.command(b.dir, "git-remote-xmpp", command)
				cmd.Env = append(cmd.Env, b.env...)
				r := run(t, cmd)
				if said := b.onlyLine(t, command, r); r.status != 2 || !strings.Contains(said, line) {
					t.Errorf("%s: %v", command, r)
				}
			}
		})
	}
	t.Run("no account", func(t *testing.T) {
		b := stranger(t)
		b.status, b.line, b.env = 3, "no XMPP account configured; set one: git config --global xmpp.account you@example.org", withSetting("xmpp.account=")
		before := snapshot(t, b.watched...)
		b.check(t)
		for _, command := range []string{"serve", "invite"} {
			cmd := b.home.command(b.dir, "git-remote-xmpp", command)
			cmd.Env = append(cmd.Env, b.env...)
			r := run(t, cmd)
			if said := b.onlyLine(t, command, r); r.status != 3 || !strings.Contains(said, b.line) {
				t.Errorf("%s: %v", command, r)
			}
		}
		sameSnapshot(t, before, snapshot(t, b.watched...))
	})
}

// withSetting is the environment by which git or we have a setting.
func withSetting(setting string) []string {
	key, value, _ := strings.Cut(setting, "=")
	if strings.HasPrefix(key, "GIT_") {
		return []string{setting}
	}
	return []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=" + key, "GIT_CONFIG_VALUE_0=" + value}
}
