package disk

import (
	"errors"
	"time"

	"golang.org/x/sys/windows"
)

// busyMillis is how long a file that others have open is waited for, about.
const busyMillis = 1000

// Patiently does something with a file, again while that fails because others have the file open. Here that keeps a file from being
// replaced, and one that is being replaced from being opened, for moments; and it looks like missing rights.
func Patiently(do func() error) error {
	for wait := 1; ; wait *= 2 {
		err := do()
		if wait > busyMillis || !errors.Is(err, windows.ERROR_SHARING_VIOLATION) && !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
			return err
		}
		time.Sleep(time.Duration(wait) * time.Millisecond)
	}
}
