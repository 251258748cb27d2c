package peers

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/internal/statefile"
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

func TestResultsAreCopies(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	must(t, s.SetAccess(t.Context(), key, []string{repo1}, Read))
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(s.peers.Path, old, old))
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
		"empty":         {"", statefile.ErrCorrupt},
		"cut off":       {`{"version":1,"content":{"peers":[{"key":`, statefile.ErrCorrupt},
		"trailing":      {peer("") + "x", statefile.ErrCorrupt},
		"no version":    {`{}`, statefile.ErrCorrupt},
		"other type":    {`[]`, statefile.ErrCorrupt},
		"newer":         {`{"version":3,"content":"whatever"}`, statefile.ErrNewer},
		"key":           {`{"version":1,"content":{"peers":[{"key":"AAAA"}]}}`, statefile.ErrCorrupt},
		"label":         {peer(`,"label":"a\u001bb"`), statefile.ErrCorrupt},
		"address":       {peer(`,"addresses":["x"]`), statefile.ErrCorrupt},
		"access":        {peer(`,"grants":{"` + repo1 + `":"all"}`), statefile.ErrCorrupt},
		"grant's UUID":  {peer(`,"grants":{"x":"read"}`), statefile.ErrCorrupt},
		"client's UUID": {peer(`,"uuids":["x"]`), statefile.ErrCorrupt},
		"resource":      {peer(`,"resource":"x"`), statefile.ErrCorrupt},
		"twice":         {strings.Replace(peer(""), "}]", fmt.Sprintf(`},{"key":"%s"}]`, key), 1), statefile.ErrCorrupt},
		"large":         {strings.Repeat(" ", statefile.MaxBytes+1), statefile.ErrTooLarge},
		"fine":          {peer(`,"label":"a"`), nil},
	} {
		s := testStore(t)
		write(t, s.peers.Path, tt.text, 0o600)
		if err := s.Check(); !errors.Is(err, tt.want) || err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if tt.want == nil {
			continue
		}
		if err := s.Pin(t.Context(), testKey(2), bob, "", ""); !errors.Is(err, tt.want) {
			t.Errorf("%s: Pin: %v", name, err)
		}
		if got, err := os.ReadFile(s.peers.Path); err != nil || string(got) != tt.text {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
		if s.Access(testKey(1), repo1) != None {
			t.Errorf("%s: access", name)
		}
	}
}

func TestFilesOpenToOthers(t *testing.T) {
	if !modeCounts {
		return // nothing to see in mode bits
	}
	s := testStore(t)
	key := add(t, s, 1, bob)
	must(t, s.SetAccess(t.Context(), key, []string{repo1}, Write))
	must(t, os.Chmod(s.peers.Path, 0o602))
	if err := Open(s.dir).Check(); !errors.Is(err, statefile.ErrTooOpen) || !strings.Contains(err.Error(), "chmod 600 "+s.peers.Path) {
		t.Errorf("file: %v", err)
	}
	must(t, os.Chmod(s.peers.Path, 0o600))
	must(t, os.Chmod(s.dir, 0o770))
	other := Open(s.dir)
	if err := other.Check(); !errors.Is(err, statefile.ErrTooOpen) || other.Access(key, repo1) != None {
		t.Errorf("folder: %v", err)
	}
	must(t, os.Chmod(s.dir, 0o700))
	for _, path := range []string{s.peers.Path} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
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
