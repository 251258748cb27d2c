package logins

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/statefile"
)

func tokenOf(t *testing.T, tokens *Tokens, want Token) {
	t.Helper()
	if got, err := tokens.Token(); got != want || err != nil {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What one process keeps of an account another one finds, and drops only if it is still the last; the one by which it came is back then. The id stays, and is another one for each account.
func TestTokens(t *testing.T) {
	dir := t.TempDir()
	alice, bob, again := OpenTokens(dir, "alice@example.org"), OpenTokens(dir, "bob@example.org"), OpenTokens(dir, "alice@example.org")
	tokenOf(t, alice, Token{})
	client, err := alice.Client()
	noError(t, err)
	old := Token{Mechanism: "HT-SHA-256-EXPR", Secret: "old", Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Bind2: true}
	newer := old
	newer.Secret, newer.Bind2 = "newer", false
	noError(t, alice.Keep(old, Token{}))
	tokenOf(t, again, old)
	tokenOf(t, bob, Token{})
	noError(t, again.Keep(newer, Token{}))
	noError(t, alice.Drop(old))
	tokenOf(t, alice, newer)
	noError(t, alice.Drop(newer))
	tokenOf(t, again, old)
	used := old
	used.Secret = "used"
	noError(t, again.Keep(newer, used))
	noError(t, again.Drop(newer))
	tokenOf(t, alice, used)
	noError(t, again.Drop(used))
	tokenOf(t, again, Token{})
	his, err := bob.Client()
	noError(t, err)
	if after, err := again.Client(); err != nil || after != client || client == his || len(client) != 36 {
		t.Errorf("alice is %q, then %q, bob %q: %v", client, after, his, err)
	}
}

// The file is for its owner alone, and a damaged one isn't used, nor is what is in it told.
func TestTokensFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, tokensName)
	const secret = "5ecr3t"
	noError(t, OpenTokens(dir, "a@b").Keep(Token{Mechanism: "HT-SHA-256-NONE", Secret: secret, Expires: time.Now()}, Token{}))
	if _, err := statefile.ReadPrivate(path); err != nil {
		t.Error(err)
	}
	if runtime.GOOS != "windows" { // where mode bits say nothing
		noError(t, os.Chmod(path, 0o640))
		if _, err := OpenTokens(dir, "a@b").Token(); !errors.Is(err, statefile.ErrTooOpen) {
			t.Errorf("open to others: %v", err)
		}
	}
	noError(t, os.Chmod(path, 0o600))
	good, err := os.ReadFile(path)
	noError(t, err)
	for old, bad := range map[string]string{
		"HT-SHA-256-NONE": "", `"` + secret: `"` + strings.Repeat(secret, maxTokenBytes), `"client": "`: `"client": "x`, `"a@b"`: `""`, `"expires": "`: `"expires": "x`, "\"" + secret + "\"": "0",
	} {
		text := strings.Replace(string(good), old, bad, 1)
		if text == string(good) {
			t.Fatalf("%s isn't there", old)
		}
		noError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := OpenTokens(dir, "a@b").Token()
		if !errors.Is(err, statefile.ErrCorrupt) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %.200v", old, err)
		}
		if _, err := OpenTokens(dir, "a@b").Client(); !errors.Is(err, statefile.ErrCorrupt) {
			t.Errorf("%s: %.200v", old, err)
		}
	}
}

// Whatever the file holds: what is let through has an id and a mechanism for each token, and changing one account's changes no other's.
func FuzzTokens(f *testing.F) {
	for _, text := range []string{"", `{"version":1,"content":{"accounts":{"a@b":{"client":"d4565fa7-4d72-4749-b3d3-740edbf87770"}}}}`, `{"version":1,"content":{"accounts":{"a@b":{}}}}`,
		`{"version":1,"content":{"accounts":{"b@c":{"client":"d4565fa7-4d72-4749-b3d3-740edbf87770","mechanism":"HT-SHA-256-NONE","token":"x","expires":"2030-01-02T03:04:05Z","bind2":true,"earlier":{"mechanism":"X","token":"y"}}}}}`,
		`{"version":1,"content":{"accounts":{"b@c":{"client":"d4565fa7-4d72-4749-b3d3-740edbf87770","earlier":{"token":"y"}}}}}`} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(dir, tokensName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all := OpenTokens(dir, "")
		before, err := all.file.Read()
		kept := Token{Mechanism: "HT-SHA-256-NONE", Secret: "x"}
		if err != nil {
			if err := OpenTokens(dir, "a@b").Keep(kept, Token{}); err == nil {
				t.Fatalf("%q was written over", text)
			}
			return
		}
		noError(t, OpenTokens(dir, "a@b").Keep(kept, Token{}))
		for account, k := range before.Accounts {
			want := k.Token
			if account == "a@b" {
				want = kept
			}
			got, err := OpenTokens(dir, account).Token()
			if err != nil || got.Secret != want.Secret || got.Mechanism != want.Mechanism || !got.Expires.Equal(want.Expires) || (got.Secret == "") != (got.Mechanism == "") || (k.Earlier.Secret == "") != (k.Earlier.Mechanism == "") {
				t.Fatalf("%q has %+v, %v; want %+v", account, got, err, want)
			}
			if client, err := OpenTokens(dir, account).Client(); err != nil || client != k.Client {
				t.Fatalf("%q is %q, %v", account, client, err)
			}
		}
	})
}
