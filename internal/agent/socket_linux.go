package agent

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// shortAddress is a short name for a socket whose path is too long.
func shortAddress(dir string) (address string, release func(), err error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", fd, socketName), func() { _ = unix.Close(fd) }, nil
}
