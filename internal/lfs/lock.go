package lfs

import (
	"os"

	"github.com/gofrs/flock"
)

// A lock is a file that one at a time holds, whichever process or goroutine that is in. It ends with the process and leaves no
// file when it is given up.
type lock struct {
	file *flock.Flock
}

// tryLock takes a lock, and returns nil if another has it.
func tryLock(path string) (*lock, error) {
	for {
		l := &lock{flock.New(path, flock.SetPermissions(0o666))}
		ok, err := l.file.TryLock()
		if err != nil || !ok {
			return nil, err
		}
		held, err := l.file.Stat()
		if err != nil {
			_ = l.file.Close()
			return nil, err
		}
		there, err := os.Stat(path)
		if err == nil && os.SameFile(held, there) {
			return l, nil
		}
		_ = l.file.Close() // whoever had it took the file away after we had opened it
	}
}

// release gives the lock up. Its file is taken away while it is held, so that nobody takes it for a lock of theirs; where files
// that are open can't be, a file that another has opened stays.
func (l *lock) release() {
	held := os.Remove(l.file.Path())
	_ = l.file.Close()
	if held != nil {
		_ = os.Remove(l.file.Path())
	}
}
