package peers

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

const (
	repo1 = "11111111-1111-4111-8111-111111111111"
	repo2 = "22222222-2222-4222-8222-222222222222"
	bob   = "bob@example.org"
	alice = "alice@example.org"
)

// modeCounts says that mode bits tell who may read and write a file.
const modeCounts = runtime.GOOS != "windows"

// testStore returns a store in a folder that isn't there yet.
func testStore(t *testing.T) *Store {
	t.Helper()
	return Open(filepath.Join(t.TempDir(), "data"))
}

// testKey returns a real key, the same for the same n.
func testKey(n byte) Key {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return Key(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// add makes a peer known, pinned to address.
func add(t *testing.T, s *Store, n byte, address string) Key {
	t.Helper()
	must(t, s.Pin(t.Context(), testKey(n), address, "", ""))
	return testKey(n)
}

// at sets the clock of a store.
func at(s *Store, now time.Time) { s.now = func() time.Time { return now } }

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), mode))
	must(t, os.Chmod(path, mode))
}

func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
