package testserver

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// hostsFile is where the C library, which ejabberd asks for other servers' addresses, looks first.
const hostsFile = "/etc/hosts"

// canFederate says whether federated servers can have a hosts file of their own.
func canFederate() error {
	if os.Geteuid() != 0 {
		return errors.New("only root may give a server a hosts file of its own")
	}
	return nil
}

// withHosts calls start on a thread whose children see another hosts file. The thread is of no use for anything else afterwards, and
// ends with the goroutine.
func withHosts(file string, start func() error) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount(file, hostsFile, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("put %s in the place of %s: %w", file, hostsFile, err)
	}
	return start()
}
