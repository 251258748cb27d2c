package statefile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

func TestFilesOpenToOthers(t *testing.T) {
	if !modeCounts {
		return // nothing to see in mode bits
	}
	d := testDocument(t)
	dir := filepath.Dir(d.Path)
	must(t, add(t, d, 1))
	must(t, os.Chmod(d.Path, 0o602))
	if _, err := open(d.Path).Read(); !errors.Is(err, ErrTooOpen) || !strings.Contains(err.Error(), "chmod 600 "+d.Path) {
		t.Errorf("file: %v", err)
	}
	must(t, os.Chmod(d.Path, 0o640))
	want(t, open(d.Path), 1)
	if _, err := ReadPrivate(d.Path); !errors.Is(err, ErrTooOpen) {
		t.Errorf("private file: %v", err)
	}
	private := open(d.Path)
	private.Private = true
	if _, err := private.Read(); !errors.Is(err, ErrTooOpen) {
		t.Errorf("private document: %v", err)
	}
	must(t, os.Chmod(d.Path, 0o600))
	if text, err := ReadPrivate(d.Path); err != nil || len(text) == 0 {
		t.Errorf("private file: %q, %v", text, err)
	}
	must(t, os.Chtimes(d.Path, time.Now(), time.Now().Add(-time.Hour)))
	running := open(d.Path)
	want(t, running, 1)
	must(t, os.Chmod(d.Path, 0o606))
	if _, err := running.Read(); !errors.Is(err, ErrTooOpen) {
		t.Errorf("file, while it is in memory: %v", err)
	}
	must(t, os.Chmod(d.Path, 0o600))
	must(t, os.Chmod(dir, 0o770))
	if _, err := open(d.Path).Read(); !errors.Is(err, ErrTooOpen) || !strings.Contains(err.Error(), "chmod 700 "+dir) {
		t.Errorf("folder: %v", err)
	}
}

func TestLeftoverTempFile(t *testing.T) {
	d := testDocument(t)
	must(t, add(t, d, 1))
	write(t, d.Path+tempSuffix, `{"version":1,"content":{"numbers":[`, 0o644)
	want(t, d, 1)
	must(t, add(t, d, 2))
	want(t, open(d.Path), 1, 2)
	if _, err := os.Stat(d.Path + tempSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leftover is still there: %v", err)
	}
	if info, err := os.Stat(d.Path); err != nil || modeCounts && info.Mode().Perm() != 0o600 {
		t.Errorf("the leftover's mode was taken over: %v, %v", info.Mode(), err)
	}
}

func TestFailedWriteChangesNothing(t *testing.T) {
	d := testDocument(t)
	must(t, add(t, d, 1))
	must(t, os.MkdirAll(filepath.Join(d.Path+tempSuffix, "in the way"), 0o700))
	if err := add(t, d, 2); err == nil {
		t.Fatal("no error")
	}
	want(t, d, 1)
}

func TestFileDoesNotOutgrowItsLimit(t *testing.T) {
	d := testDocument(t)
	err := Lock(t.Context(), filepath.Dir(d.Path), func() error { return Replace(d.Path, make([]byte, MaxBytes+1)) })
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(d.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

func TestNotARegularFile(t *testing.T) {
	d := testDocument(t)
	must(t, os.MkdirAll(d.Path, 0o700))
	if _, err := d.Read(); err == nil || !strings.HasSuffix(err.Error(), "not a regular file") {
		t.Errorf("got %v", err)
	}
}

// What a symbolic link leads to is read if it would be without. A link to nothing isn't written over.
func TestSymbolicLinks(t *testing.T) {
	d := testDocument(t)
	must(t, add(t, d, 1))
	target := filepath.Join(t.TempDir(), "elsewhere")
	must(t, os.Rename(d.Path, target))
	if err := os.Symlink(target, d.Path); err != nil {
		t.Logf("no links here: %v", err)
		return
	}
	want(t, open(d.Path), 1)
	if _, err := ReadPrivate(d.Path); err != nil {
		t.Error(err)
	}
	if modeCounts {
		must(t, os.Chmod(target, 0o666))
		if _, err := open(d.Path).Read(); !errors.Is(err, ErrTooOpen) {
			t.Errorf("to a file open to others: %v", err)
		}
	}
	must(t, os.Remove(target))
	for name, err := range map[string]error{"read": readError(open(d.Path).Read()), "private": readError(ReadPrivate(d.Path)), "change": add(t, open(d.Path), 2)} {
		if err == nil || errors.Is(err, os.ErrNotExist) || err.Error() != d.Path+": symbolic link to nothing" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if to, err := os.Readlink(d.Path); err != nil || to != target {
		t.Errorf("the link: %s, %v", to, err)
	}
}

func readError[T any](_ T, err error) error { return err }

func TestLockEndsWithItsContext(t *testing.T) {
	d := testDocument(t)
	dir := filepath.Dir(d.Path)
	must(t, add(t, d, 1))
	held := flock.New(filepath.Join(dir, lockFile))
	must(t, held.Lock())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := Lock(ctx, dir, func() error {
		t.Error("ran without the lock")
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	want(t, d, 1) // reading waits for nobody
	must(t, held.Unlock())
	must(t, add(t, d, 2))
	want(t, d, 1, 2)
}
