package repo

import (
	"slices"
	"testing"
)

func TestRemotes(t *testing.T) {
	w := newWorld(t, "--bare")
	for _, args := range [][]string{
		{"remote", "add", "bob", "xmpp::bob@example.org/proj?invite=abc"},
		{"remote", "add", "a/b", "xmpp://carol@example.org/a b (push)"},
		{"remote", "add", "short", "b:proj"},
		{"config", "url.xmpp::bob@example.org/.insteadOf", "b:"},
		{"remote", "add", "elsewhere", "https://example.org/proj"},
		{"remote", "set-url", "--add", "--push", "elsewhere", "xmpp::dave@example.org/x"},
		{"remote", "set-url", "--add", "--push", "elsewhere", "xmpp::dave@example.org/y"},
		{"remote", "add", "away", "xmpp::erin@example.org/proj"},
		{"remote", "set-url", "--add", "--push", "away", "https://example.org/proj"},
		{"remote", "set-url", "--add", "--push", "away", "xmpp::erin@example.org/proj"},
		{"remote", "add", "filtered", "xmpp::frank@example.org/"},
		{"config", "remote.filtered.promisor", "true"},
		{"config", "remote.filtered.partialCloneFilter", "blob:none"},
		{"config", "remote.nowhere.fetch", "+refs/heads/*:refs/remotes/x/*"},
		{"remote", "add", "path", "./xmpp::x"},
	} {
		git(t, w.server, args...)
	}
	got, err := w.open().Remotes(t.Context())
	want := []Remote{
		{"a/b", "xmpp://carol@example.org/a b (push)"},
		{"bob", "xmpp::bob@example.org/proj?invite=abc"},
		{"elsewhere", "xmpp::dave@example.org/x"},
		{"filtered", "xmpp::frank@example.org/"},
		{"short", "xmpp::bob@example.org/proj"},
	}
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("%+v, error %v", got, err)
	}
}
