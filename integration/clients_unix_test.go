//go:build unix

package integration

import (
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// A machine that was put to sleep is still online for its server: the other one gets the push.
func TestSleepingClientIsPassedOver(t *testing.T) {
	b := newMachines(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	process := b.desktop.daemon.cmd.Process
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b.push(t, "xmpp::bob@localhost/proj", b.laptop)
	if took := time.Since(began); took > 40*time.Second { // the last one to try would have a minute
		t.Errorf("it took %v", took)
	}
	if err := process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b.push(t, "xmpp::bob@localhost/"+b.desktop.uuid, b.desktop)
}
