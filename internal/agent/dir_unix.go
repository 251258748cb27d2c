//go:build unix

package agent

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkDir refuses a folder that isn't ours alone: whoever gets at the socket acts as the user.
func checkDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode()&0o077 != 0 || !ok || int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s isn't a folder of this user's alone: %w", dir, fs.ErrPermission)
	}
	return nil
}

// restrict makes a socket the user's alone, whatever the umask is.
func restrict(socket string) error { return os.Chmod(socket, 0o600) }
