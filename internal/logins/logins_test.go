package logins

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/internal/statefile"
)

func strongest(t *testing.T, r *Record, want string) {
	t.Helper()
	if got, err := r.Strongest(); got != want || err != nil {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// What one process notes of an account another one finds, until the file is removed.
func TestRecord(t *testing.T) {
	dir := t.TempDir()
	alice, bob, again := Open(dir, "alice@example.org"), Open(dir, "bob@example.org"), Open(dir, "alice@example.org")
	strongest(t, alice, "")
	for _, mechanism := range []string{"SCRAM-SHA-1", "SCRAM-SHA-256"} {
		if err := alice.Raise(mechanism); err != nil {
			t.Fatal(err)
		}
		strongest(t, again, mechanism)
	}
	strongest(t, bob, "")
	path, ok := strings.CutPrefix(alice.Remedy(), "remove ")
	if !ok {
		t.Fatal(alice.Remedy())
	}
	if _, err := statefile.ReadPrivate(path); err != nil {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	strongest(t, again, "")
}

func TestDamagedRecord(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"{", `{"version":1,"content":{"mechanisms":{"a@b":""}}}`, `{"version":1,"content":{"mechanisms":{"a@b":"` + strings.Repeat("X", 21) + `"}}}`} {
		if err := os.WriteFile(filepath.Join(dir, fileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Open(dir, "a@b").Strongest(); !errors.Is(err, statefile.ErrCorrupt) {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}
