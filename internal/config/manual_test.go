package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/internal/manual"
)

// examples are values of settings that have no default.
var examples = map[string]string{
	"xmpp.account":    "you@example.org",
	"xmpp.server":     "xmpp.example.org:5222",
	"xmpp.sslCAInfo":  "/ca.pem",
	"xmpp.iceServers": "stun:stun.example.org",
	"xmpp.notify":     "room@muc.example.org",
	"xmpp.uuid":       "123e4567-e89b-12d3-a456-426614174000",
}

var defaultInManual = regexp.MustCompile("(?:^|[.] )Default: `([^`]+)`[.]$")

// git-xmpp-config(5) has each setting, with its variable, its values and its default, and no others.
func TestManual(t *testing.T) {
	described := settingsInManual(t)
	isolateFromGit(t)
	defaults, err := Load(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range knownSettings() {
		if !strings.HasPrefix(k.key, "xmpp.") {
			continue // git's, or a variable of its own
		}
		text, ok := described[k.key]
		if !ok {
			t.Errorf("%s is not in doc/man/git-xmpp-config.5.md", k.key)
			continue
		}
		delete(described, k.key)
		if k.env != "" && !strings.Contains(text, "**"+k.env+"**") {
			t.Errorf("%s: its variable %s is not named", k.key, k.env)
		}
		for _, value := range choices(k.want) {
			if !strings.Contains(text, "`"+value+"`") {
				t.Errorf("%s: the value %s is not named", k.key, value)
			}
		}
		checkDefault(t, k, text, defaults)
	}
	for key := range described {
		t.Errorf("%s in doc/man/git-xmpp-config.5.md is not read", key)
	}
}

// settingsInManual are ours, and what is said of them.
func settingsInManual(t *testing.T) map[string]string {
	t.Helper()
	sections, err := manual.Read("../../doc/man/git-xmpp-config.5.md")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, s := range sections {
		for _, e := range s.Entries {
			if strings.HasPrefix(e.Terms[0], "xmpp.") {
				found[e.Terms[0]] = e.Text
			}
		}
	}
	return found
}

// choices are the values that a setting can have, if they are few.
func choices(want string) []string {
	if want == "true or false" {
		return []string{"true", "false"}
	}
	list, ok := strings.CutPrefix(want, "one of: ")
	if !ok {
		return nil
	}
	return strings.Split(list, ", ")
}

// checkDefault sets the default that the manual names: that must change nothing, and another value something. Where it says that there is
// none, what an example sets must be empty.
func checkDefault(t *testing.T, k setting, text string, defaults Settings) {
	t.Helper()
	after := defaults
	if match := defaultInManual.FindStringSubmatch(text); match != nil {
		if !k.set(&after, match[1]) || !reflect.DeepEqual(after, defaults) {
			t.Errorf("%s: its default isn't %s", k.key, match[1])
		}
		return
	}
	if !strings.HasSuffix(text, " No default.") {
		t.Errorf("%s: the end doesn't say its default", k.key)
		return
	}
	if examples[k.key] == "" || !k.set(&after, examples[k.key]) {
		t.Fatalf("%s: this test has no right example of a value", k.key)
	}
	was, is := reflect.ValueOf(defaults), reflect.ValueOf(after)
	changed := slices.DeleteFunc(reflect.VisibleFields(was.Type()), func(f reflect.StructField) bool {
		return !f.IsExported() || reflect.DeepEqual(was.FieldByIndex(f.Index).Interface(), is.FieldByIndex(f.Index).Interface())
	})
	if len(changed) != 1 || !was.FieldByIndex(changed[0].Index).IsZero() {
		t.Errorf("%s: the example changes %v, which must be one that has no default", k.key, changed)
	}
}

// isolateFromGit keeps settings of whoever runs the test away.
func isolateFromGit(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	for _, k := range knownSettings() {
		if k.env != "" {
			t.Setenv(k.env, "")
		}
	}
}
