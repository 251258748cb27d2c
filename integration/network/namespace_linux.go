package network

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// RequireEnv is the environment variable that, when it is "1", fails tests that can't have a network, which are skipped otherwise.
const RequireEnv = "REQUIRE_SERVERS"

// A Namespace is a network of its own: a loopback device, and what links lead to it.
type Namespace struct {
	tb      testing.TB
	file    *os.File // what keeps it
	devices int
}

// NewNamespace makes a namespace, which is gone with the test.
func NewNamespace(tb testing.TB) *Namespace {
	tb.Helper()
	file, err := unshare()
	if err != nil {
		missing(tb, fmt.Errorf("make a network namespace: %w", err))
	}
	tb.Cleanup(func() { _ = file.Close() }) // only read
	return &Namespace{tb: tb, file: file}
}

// missing ends a test that can't have a network.
func missing(tb testing.TB, err error) {
	tb.Helper()
	if os.Getenv(RequireEnv) == "1" {
		tb.Fatalf("networks are required, which take Linux, root and /dev/net/tun: %v", err)
	}
	tb.Skipf("networks take Linux, root and /dev/net/tun: %v", err)
}

// unshare makes a namespace on a thread that ends with it.
func unshare() (file *os.File, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: no other goroutine gets a thread that is in the namespace
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return
		}
		if err = up("lo"); err == nil {
			file, err = os.Open("/proc/thread-self/ns/net")
		}
	}()
	<-done
	return file, err
}

// Do calls f in the namespace: what f itself opens or starts is in it, and what those start. What f has other goroutines do isn't.
func (n *Namespace) Do(f func()) {
	n.tb.Helper()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err == nil {
		err = n.enter(n.file)
	}
	if err != nil {
		n.tb.Fatalf("enter a network namespace: %v", err)
	}
	defer func() {
		if err := errors.Join(n.enter(home), home.Close()); err != nil { // the thread stays locked, and ends with the goroutine
			n.tb.Errorf("leave a network namespace: %v", err)
			return
		}
		runtime.UnlockOSThread()
	}()
	f()
}

func (n *Namespace) enter(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var setErr error
	err = raw.Control(func(fd uintptr) { setErr = unix.Setns(int(fd), unix.CLONE_NEWNET) })
	return errors.Join(err, setErr)
}
