package statefile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"git-remote-xmpp/internal/disk"
	"github.com/gofrs/flock"
)

const (
	// MaxBytes is the largest file that is read or written here: 1 MiB.
	MaxBytes = 1 << 20
	// lockTimeout is how long a change waits for others to finish theirs,
	// each of which takes milliseconds.
	lockTimeout = 10 * time.Second
	// lockRetryDelay is how often a taken lock is tried again.
	lockRetryDelay = 5 * time.Millisecond
	lockFile       = "lock"
	tempSuffix     = ".tmp"
)

var (
	// ErrTooOpen says that others on this machine can read or write what
	// should be the user's alone.
	ErrTooOpen = errors.New("open to others")
	// ErrNotOurs says that a file or folder belongs to somebody else, who can change it at any time, whatever its mode is.
	ErrNotOurs = errors.New("owned by another user")
	// ErrTooLarge says that a file is over its limit of 1 MiB, or would be.
	ErrTooLarge = errors.New("larger than 1 MiB")
	// ErrLocked says that another process held the lock for too long.
	ErrLocked = errors.New("locked by another process")
)

// Lock runs change while no other process or goroutine changes anything in
// dir. It makes the folder if it isn't there. It waits ten seconds at most.
func Lock(ctx context.Context, dir string, change func() error) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, lockFile)
	lock := flock.New(path, flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, ErrLocked)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, lockRetryDelay); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("lock %s: %w", path, err)
	}
	defer func() { err = cmp.Or(err, lock.Close()) }()
	return change()
}

// Replace puts a new file in the place of path: whole or not at all, on
// disk before it is seen, mode 0600. The caller holds the [Lock], so the
// temporary file has a fixed name, and one that a crash left is just removed.
func Replace(path string, data []byte) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("write %s: %w", path, ErrTooLarge)
	}
	temp := path + tempSuffix
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := writeTemp(temp, data)
	if err == nil {
		err = disk.Patiently(func() error { return os.Rename(temp, path) })
	}
	if err != nil {
		_ = os.Remove(temp) // the next writer does it otherwise
		return err
	}
	return disk.SyncDir(filepath.Dir(path))
}

func writeTemp(temp string, data []byte) error {
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return cmp.Or(err, f.Close())
}

// ReadPrivate reads a file that nobody else may read or write, as ssh demands
// it of private keys.
func ReadPrivate(path string) ([]byte, error) {
	f, info, err := openChecked(path, 0o077)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLimited(f, info)
}

// stat is os.Stat, to which a link to nothing isn't a file that isn't there: one would be made in its place.
func stat(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, linkErr := os.Lstat(path); linkErr == nil {
			return nil, fmt.Errorf("%s: symbolic link to nothing", path)
		}
	}
	return info, err
}

// openChecked opens a regular file of the user's own that has none of the mode bits of forbidden. What a symbolic link leads to is checked in the same way.
func openChecked(path string, forbidden fs.FileMode) (f *os.File, info fs.FileInfo, err error) {
	err = disk.Patiently(func() error {
		f, info, err = openCheckedOnce(path, forbidden)
		return err
	})
	return f, info, err
}

func openCheckedOnce(path string, forbidden fs.FileMode) (*os.File, fs.FileInfo, error) {
	info, err := stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() { // a named pipe would keep open waiting
		return nil, nil, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = check(path, info, forbidden, "600")
	}
	if err != nil {
		return nil, nil, cmp.Or(err, f.Close())
	}
	return f, info, nil
}

func readLimited(f *os.File, info fs.FileInfo) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	if len(data) > MaxBytes || info.Size() > MaxBytes {
		return nil, fmt.Errorf("read %s: %w", f.Name(), ErrTooLarge)
	}
	return data, nil
}

// CheckDir refuses a folder of somebody else's, or in which others could put files of their own.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return check(dir, info, 0o022, "700")
}

// check refuses what isn't the user's own, or has mode bits of forbidden.
func check(path string, info fs.FileInfo, forbidden fs.FileMode, right string) error {
	if uid, ours := owner(info); !ours {
		return fmt.Errorf("%s is %w (uid %d): chown or remove it", path, ErrNotOurs, uid)
	}
	if !modeCounts || info.Mode()&forbidden == 0 {
		return nil
	}
	return fmt.Errorf("%s is %w (mode %04o): chmod %s %s", path, ErrTooOpen, info.Mode().Perm(), right, path)
}
