package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

const (
	// socketName is the socket's name in the runtime folder.
	socketName = "agent"
	// maxSocketPathBytes is the longest path of a socket that all systems take (104 bytes with a zero at the end on macOS and FreeBSD).
	maxSocketPathBytes = 103
)

// A Listener is an agent's socket.
type Listener struct {
	*net.UnixListener
	path string
}

// Listen makes the socket in a folder that is the user's alone. The caller sees to it that there is no other agent of this folder: a socket that is
// there is that of one that died, and is replaced.
func Listen(dir string) (*Listener, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, socketName)
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	address, release, err := socketAddress(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // by its real path, in Close
	listener := &Listener{l, path}
	if err := restrict(path); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// Close stops listening and removes the socket.
func (l *Listener) Close() error {
	return errors.Join(removeSocket(l.path), l.UnixListener.Close())
}

func removeSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("%s is there and no socket", path)
	}
	return os.Remove(path)
}

// connect connects to the agent of a folder, if there is one.
func connect(ctx context.Context, dir string) (*net.UnixConn, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	address, release, err := socketAddress(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", address)
	if err != nil {
		return nil, err
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("not a unix socket"), conn.Close())
	}
	if err := checkOwner(unix); err != nil {
		return nil, errors.Join(err, unix.Close())
	}
	return unix, nil
}

// socketAddress is how the socket of a folder is called by. The address is good until release is called.
func socketAddress(dir string) (address string, release func(), err error) {
	path := filepath.Join(dir, socketName)
	if len(path) <= maxSocketPathBytes {
		return path, func() {}, nil
	}
	return shortAddress(dir)
}
