package logins

import (
	"os"
	"path/filepath"
	"testing"
)

// Whatever the file holds: what is let through has a mechanism of SASL for each account, and noting one changes no other.
func FuzzRecord(f *testing.F) {
	for _, text := range []string{"", `{"version":1,"content":{"mechanisms":{"alice@localhost":"PLAIN","bob@localhost":"SCRAM-SHA-256-PLUS"}}}`, `{"version":1,"content":{"mechanisms":{"":"PLAIN"}}}`, `{"version":1,"content":{}}`} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(dir, fileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all := Open(dir, "")
		before, err := all.file.Read()
		if err != nil {
			if err := Open(dir, "bob@localhost").Raise("PLAIN"); err == nil {
				t.Fatalf("%q was written over", text)
			}
			return
		}
		if err := Open(dir, "bob@localhost").Raise("SCRAM-SHA-1"); err != nil {
			t.Fatal(err)
		}
		for account, mechanism := range before.Mechanisms {
			if account == "bob@localhost" {
				mechanism = "SCRAM-SHA-1"
			}
			if got, err := Open(dir, account).Strongest(); err != nil || got != mechanism || len(got) > maxMechanismBytes {
				t.Fatalf("%q has %q, %v; want %q", account, got, err, mechanism)
			}
		}
	})
}
