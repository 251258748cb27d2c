package integration

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// systemd is told when peers can reach a serve, how it does, that it is alive, and that it ends.
func TestServeTellsItsManager(t *testing.T) {
	s := testserver.New(t, testserver.Ejabberd, testserver.Options{})
	bob := newHome(t, s, "Bob", "bob")
	served, path := bob.newRepo("proj"), filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	told := func() string {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(deadline)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		n, err := socket.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	bob.env = append(bob.env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=500000")
	serve := bob.serve(served)
	status := "STATUS=online as " + serve.jid + "; connections: 0, running: 0, waiting: 0"
	if got := told(); got != "READY=1\n"+status {
		t.Errorf("at first it says %q", got)
	}
	for range 2 {
		if got := told(); got != "WATCHDOG=1\n"+status {
			t.Errorf("then it says %q", got)
		}
	}
	serve.stop()
	for got := told(); got != "STOPPING=1"; got = told() {
		if !strings.HasPrefix(got, "WATCHDOG=1\n") {
			t.Errorf("before its end it says %q", got)
		}
	}
}
