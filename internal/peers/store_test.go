package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

func TestNothingIsMadeByReading(t *testing.T) {
	s := testStore(t)
	list, err := s.List()
	if err != nil || len(list) != 0 || s.Check() != nil || s.HasOpenInvites() || s.Access(testKey(1), repo1) != None {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

func TestTwoStoresSeeEachOther(t *testing.T) {
	one := testStore(t)
	two := Open(one.dir)
	key := add(t, one, 1, bob)
	want := None
	// Same size, same time slice, perhaps the same inode again: the hard case.
	for i := range 50 {
		from, to := one, two
		if i%2 == 1 {
			from, to = two, one
		}
		if want = Read; i%3 == 0 {
			want = None
		}
		must(t, from.SetAccess(t.Context(), key, []string{repo1}, want))
		if got := to.Access(key, repo1); got != want {
			t.Fatalf("round %d: %v, want %v", i, got, want)
		}
	}
}

func TestReadingFromMemory(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(s.peers.path, old, old))
	must(t, s.Check())
	before := s.peers.cached
	if _, err := s.ByKey(key); err != nil || s.peers.cached != before {
		t.Errorf("an unchanged file was read again: %v", err)
	}
	must(t, Open(s.dir).SetAccess(t.Context(), key, []string{repo1}, Write))
	if s.Access(key, repo1) != Write {
		t.Error("a changed file was not read again")
	}
	must(t, os.Remove(s.peers.path))
	if _, err := s.ByKey(key); !errors.Is(err, ErrUnknownPeer) {
		t.Errorf("a removed file: %v", err)
	}
}

func TestResultsAreCopies(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	must(t, s.SetAccess(t.Context(), key, []string{repo1}, Read))
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(s.peers.path, old, old))
	p, err := s.ByKey(key)
	must(t, err)
	p.Addresses[0], p.PinnedAddresses[0], p.Grants[repo1] = "x", "x", Write
	if again, err := s.ByKey(key); err != nil || again.Addresses[0] != bob || again.PinnedAddresses[0] != bob || s.Access(key, repo1) != Read {
		t.Errorf("the cache was changed: %+v, %v", again, err)
	}
}

func TestDamagedFiles(t *testing.T) {
	key, err := testKey(1).MarshalText()
	must(t, err)
	peer := func(rest string) string {
		return fmt.Sprintf(`{"version":1,"content":{"peers":[{"key":"%s"%s}]}}`, key, rest)
	}
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"empty":         {"", ErrCorrupt},
		"cut off":       {`{"version":1,"content":{"peers":[{"key":`, ErrCorrupt},
		"trailing":      {peer("") + "x", ErrCorrupt},
		"no version":    {`{}`, ErrCorrupt},
		"other type":    {`[]`, ErrCorrupt},
		"newer":         {`{"version":2,"content":"whatever"}`, ErrNewer},
		"key":           {`{"version":1,"content":{"peers":[{"key":"AAAA"}]}}`, ErrCorrupt},
		"label":         {peer(`,"label":"a\u001bb"`), ErrCorrupt},
		"address":       {peer(`,"addresses":["x"]`), ErrCorrupt},
		"access":        {peer(`,"grants":{"` + repo1 + `":"all"}`), ErrCorrupt},
		"grant's UUID":  {peer(`,"grants":{"x":"read"}`), ErrCorrupt},
		"client's UUID": {peer(`,"uuids":["x"]`), ErrCorrupt},
		"resource":      {peer(`,"resource":"x"`), ErrCorrupt},
		"twice":         {strings.Replace(peer(""), "}]", fmt.Sprintf(`},{"key":"%s"}]`, key), 1), ErrCorrupt},
		"large":         {strings.Repeat(" ", maxFileBytes+1), ErrTooLarge},
		"fine":          {peer(`,"label":"a"`), nil},
	} {
		s := testStore(t)
		write(t, s.peers.path, tt.text, 0o600)
		if err := s.Check(); !errors.Is(err, tt.want) || err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if tt.want == nil {
			continue
		}
		if err := s.Pin(t.Context(), testKey(2), bob, "", ""); !errors.Is(err, tt.want) {
			t.Errorf("%s: Pin: %v", name, err)
		}
		if got, err := os.ReadFile(s.peers.path); err != nil || string(got) != tt.text {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
		if s.Access(testKey(1), repo1) != None {
			t.Errorf("%s: access", name)
		}
	}
}

func TestNewerFileIsRefusedInWords(t *testing.T) {
	s := testStore(t)
	write(t, s.invites.path, `{"version":7,"content":[]}`, 0o600)
	err := s.Check()
	if want := s.invites.path + ": written by a newer git-remote-xmpp (format 7, this one knows 1): update git-remote-xmpp"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFilesOpenToOthers(t *testing.T) {
	if !modeCounts {
		return // nothing to see in mode bits
	}
	s := testStore(t)
	key := add(t, s, 1, bob)
	must(t, s.SetAccess(t.Context(), key, []string{repo1}, Write))
	must(t, os.Chmod(s.peers.path, 0o602))
	if err := Open(s.dir).Check(); !errors.Is(err, ErrTooOpen) || !strings.Contains(err.Error(), "chmod 600 "+s.peers.path) {
		t.Errorf("file: %v", err)
	}
	must(t, os.Chmod(s.peers.path, 0o600))
	must(t, os.Chmod(s.dir, 0o770))
	other := Open(s.dir)
	if err := other.Check(); !errors.Is(err, ErrTooOpen) || other.Access(key, repo1) != None {
		t.Errorf("folder: %v", err)
	}
	must(t, os.Chmod(s.dir, 0o700))
	for _, path := range []string{s.peers.path} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestLeftoverTempFile(t *testing.T) {
	s := testStore(t)
	add(t, s, 1, bob)
	write(t, s.peers.path+tempSuffix, `{"version":1,"content":{"peers":[`, 0o644)
	if list, err := s.List(); err != nil || len(list) != 1 {
		t.Fatalf("reading: %v, %v", list, err)
	}
	add(t, s, 2, bob)
	if list, err := Open(s.dir).List(); err != nil || len(list) != 2 {
		t.Errorf("writing: %v, %v", list, err)
	}
	if _, err := os.Stat(s.peers.path + tempSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leftover is still there: %v", err)
	}
	if info, err := os.Stat(s.peers.path); err != nil || modeCounts && info.Mode().Perm() != 0o600 {
		t.Errorf("the leftover's mode was taken over: %v, %v", info.Mode(), err)
	}
}

func TestFailedWriteChangesNothing(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	must(t, os.MkdirAll(filepath.Join(s.peers.path+tempSuffix, "in the way"), 0o700))
	if err := s.SetAccess(t.Context(), key, []string{repo1}, Write); err == nil {
		t.Fatal("no error")
	}
	if s.Access(key, repo1) != None {
		t.Error("the change that failed is seen")
	}
}

func TestFileDoesNotOutgrowItsLimit(t *testing.T) {
	s := testStore(t)
	must(t, s.Check())
	err := withLock(t.Context(), s.dir, func() error { return replaceFile(s.peers.path, make([]byte, maxFileBytes+1)) })
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(s.peers.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

func TestLockEndsWithItsContext(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	held := flock.New(filepath.Join(s.dir, lockFile))
	must(t, held.Lock())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := s.SetAccess(ctx, key, []string{repo1}, Read); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := s.ByKey(key); err != nil {
		t.Errorf("reading waits for nobody: %v", err)
	}
	must(t, held.Unlock())
	must(t, s.SetAccess(t.Context(), key, []string{repo1}, Read))
}

func TestManyWritersLoseNothing(t *testing.T) {
	s := testStore(t)
	const writers = 12
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			if err := Open(s.dir).Pin(t.Context(), testKey(byte(i)), bob, "", ""); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if found, err := s.Pinned(bob); err != nil || len(found) != writers {
		t.Errorf("%d peers, %v", len(found), err)
	}
}
