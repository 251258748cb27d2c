package config

import (
	"errors"
	"strings"
	"testing"
)

func TestParseRemote(t *testing.T) {
	for _, tt := range []struct {
		raw, address, repo, invite string
		text                       string // of String; empty: raw
	}{
		{raw: "xmpp::bob@example.org", address: "bob@example.org"},
		{raw: "bob@example.org", address: "bob@example.org", text: "xmpp::bob@example.org"},
		{raw: "xmpp://bob@example.org/proj", address: "bob@example.org", repo: "proj", text: "xmpp::bob@example.org/proj"},
		{raw: "xmpp::bob@example.org/", address: "bob@example.org", text: "xmpp::bob@example.org"},
		{raw: "xmpp::bob@example.org/a/b.git/", address: "bob@example.org", repo: "a/b.git", text: "xmpp::bob@example.org/a/b.git"},
		{raw: "xmpp::BOB@Example.ORG./Proj", address: "bob@example.org", repo: "Proj", text: "xmpp::bob@example.org/Proj"},
		{raw: "bob@localhost/proj?invite=AbC-_9", address: "bob@localhost", repo: "proj", invite: "AbC-_9", text: "xmpp::bob@localhost/proj?invite=AbC-_9"},
		{raw: "bob@localhost?invite=x", address: "bob@localhost", invite: "x", text: "xmpp::bob@localhost?invite=x"},
		{raw: "bob@localhost/my%20repo%3F%2523", address: "bob@localhost", repo: "my repo?%23", text: "xmpp::bob@localhost/my%20repo%3F%2523"},
		{raw: "bob@localhost/my repo", address: "bob@localhost", repo: "my repo", text: "xmpp::bob@localhost/my%20repo"},
		{raw: "a%23b@localhost", address: "a#b@localhost", text: "xmpp::a%23b@localhost"},
		{raw: "bob@localhost/..x/x..", address: "bob@localhost", repo: "..x/x..", text: "xmpp::bob@localhost/..x/x.."},
		{raw: "bob@[::1]/p", address: "bob@[::1]", repo: "p", text: "xmpp::bob@[::1]/p"},
		{raw: "bob@127.0.0.1/p", address: "bob@127.0.0.1", repo: "p", text: "xmpp::bob@127.0.0.1/p"},
		{raw: "jürgen@xn--bcher-kva.example", address: "jürgen@bücher.example", text: "xmpp::j%C3%BCrgen@bücher.example"},
	} {
		r, err := ParseRemote(tt.raw)
		if err != nil {
			t.Errorf("%s: %v", tt.raw, err)
			continue
		}
		if r.Address.String() != tt.address || r.Repo != tt.repo || r.Invite != tt.invite {
			t.Errorf("%s: got %v, %q, %q", tt.raw, r.Address, r.Repo, r.Invite)
		}
		want := tt.text
		if want == "" {
			want = tt.raw
		}
		if r.String() != want {
			t.Errorf("%s: String %s, want %s", tt.raw, r, want)
		}
		if strings.Contains(r.WithoutInvite().String(), "invite") {
			t.Errorf("%s: WithoutInvite %s", tt.raw, r.WithoutInvite())
		}
	}
}

func TestParseRemoteRefuses(t *testing.T) {
	for raw, reason := range map[string]string{
		"":                              "no user",
		"xmpp::":                        "no user",
		"example.org":                   "no user",
		"@example.org":                  "no user",
		"bob@":                          "no host",
		"xmpp:///x":                     "no user",
		"bob@exa mple":                  "no valid user@host",
		"bob@-example":                  "no valid user@host",
		"bob@ex%61mple":                 "no valid user@host",
		"b ob@example":                  "no valid user@host",
		"bob@carol@example":             "no valid user@host",
		"bob:secret@example":            "no valid user@host",
		"bob%2Fx@example":               "no valid user@host",
		"bob@example:5222":              "the host has a port",
		"bob@[::1]:5222":                "no valid user@host",
		"-bob@example":                  "begins with '-'",
		"%2Dbob@example":                "begins with '-'",
		"bob@example/-x":                "begins with '-'",
		"bob@example/%2Dx":              "begins with '-'",
		"bob@example/a/-x":              "begins with '-'",
		"bob@example/x%E2%80%AEy":       "control character",
		"bob@example//etc":              "absolute path",
		"bob@example/%2Fetc":            "absolute path",
		"bob@example/%2F":               "absolute path",
		"bob@example/C:/x":              "absolute path",
		"bob@example/..":                "'..' element",
		"bob@example/../x":              "'..' element",
		"bob@example/a/%2e%2E/x":        "'..' element",
		"bob@example/a%2F..":            "'..' element",
		"bob@example/./x":               "'..' element",
		"bob@example/a//x":              "empty",
		`bob@example/a\..\b`:            "backslash",
		"bob@example/a%5Cb":             "backslash",
		"bob@example/a\nb":              "control character",
		"bob@example/a%0Ab":             "control character",
		"bob@example/a%00b":             "control character",
		"bob@example/a%C2%85b":          "control character",
		"bob%00@example":                "control character",
		"bob@example/%ff":               "not UTF-8",
		"bob@example/\xff":              "not UTF-8",
		"bob@example/%zz":               "percent-encoding",
		"bob@example/a#b":               "'#'",
		"bob@example?":                  "", // nothing asked for: fine
		"bob@example?x=1":               "unknown query key \"x\"",
		"bob@example?invite=":           "not exactly one invite",
		"bob@example?invite=a&invite=b": "not exactly one invite",
		"bob@example?invite=a&x=1":      "unknown query key \"x\"",
		"bob@example?invite=%zz":        "bad query",
		"bob@example?invite=%00":        "control character",
		"bob@example/" + strings.Repeat("x", 1024): "longer than 1024 bytes",
		"bob@example/" + strings.Repeat("ü", 300):  "longer than 1024 bytes",
	} {
		_, err := ParseRemote(raw)
		if reason == "" {
			if err != nil {
				t.Errorf("%q: %v", raw, err)
			}
			continue
		}
		var bad *URLError
		if !errors.As(err, &bad) || !strings.Contains(bad.Reason, reason) {
			t.Errorf("%q: got %v, want %q", raw, err, reason)
			continue
		}
		if text := err.Error(); strings.ContainsAny(text, "\n\x00") || len(text) > 300 || strings.Contains(text, "invite=") {
			t.Errorf("%q: error %q", raw, text)
		}
	}
	_, err := ParseRemote("bob@")
	if want := `malformed url "bob@": no host, expected xmpp::user@host[/repo]`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzParseRemote(f *testing.F) {
	for _, seed := range []string{
		"", "xmpp::bob@example.org", "xmpp://bob@example.org/proj?invite=AAECAw", "bob@[::1]/a/b",
		"j%C3%BCrgen@bücher.example/ü%20/%2523", "a%23b@localhost/..x", "xmpp::xmpp://a@b", "İ@ǅ.example", "bob@ＥＸ.example",
		"bob@[v1.x]/x", "x@127.0.0.1/*", "x@h/a%2Fb?invite=a+b%26",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := ParseRemote(raw)
		if err != nil {
			return
		}
		again, err := ParseRemote(r.String())
		if err != nil {
			t.Fatalf("%q: String %q: %v", raw, r, err)
		}
		if !again.Address.Equal(r.Address) || again.Repo != r.Repo || again.Invite != r.Invite {
			t.Fatalf("%q: %q came back as %q", raw, r, again)
		}
	})
}
