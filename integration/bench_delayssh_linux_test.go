package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"git-remote-xmpp/integration/network"
	"git-remote-xmpp/integration/testserver"
)

// A delaySSH is what delayPair is, over ssh.
type delaySSH struct {
	cold, master *benchPusher
	from         *network.Namespace
}

// newDelaySSH starts sshd at one end of a link and a connection of ssh's to it, which stays, from the other.
func newDelaySSH(b *testing.B, n *network.Pair) *delaySSH {
	b.Helper()
	sshd := benchSSHD(b, testserver.Place{Host: n.AddrB.String(), Enter: n.B.Do})
	socket := filepath.Join(sshd.Dir, "master")
	d := &delaySSH{from: n.A}
	n.A.Do(func() {
		startMaster(b, sshd, socket)
		d.cold = newSSHPusher(b, sshd, sshd.Command)
		d.master = newSSHPusher(b, sshd, sshd.Command+" -S "+socket)
	})
	return d
}

// startMaster connects and waits until others can use the connection. It ends with the benchmark.
func startMaster(b *testing.B, sshd *testserver.SSHServer, socket string) {
	b.Helper()
	master := exec.CommandContext(b.Context(), "sh", "-c", "exec "+sshd.Command+" -N -M -S "+socket+" "+sshd.URL(""))
	master.Stderr = os.Stderr
	if err := master.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = master.Process.Kill() // it may have ended
		_ = master.Wait()         // killed
	})
	await(b, "ssh to connect", func() bool { _, err := os.Stat(socket); return err == nil })
}

func newSSHPusher(b *testing.B, sshd *testserver.SSHServer, command string) *benchPusher {
	b.Helper()
	h := newHome(b, &testserver.Server{}, "Carol", "carol")
	h.env = append(h.env, "GIT_SSH_COMMAND="+command)
	served := h.newBenchRepo("ssh", benchSmallBytes)
	return h.newBenchPusher(sshd.URL(served), served)
}

func (d *delaySSH) rows(over string) []*benchRow {
	row := func(name string, measure func() time.Duration) *benchRow {
		return &benchRow{over: over, name: name, measure: func() (took time.Duration) {
			d.from.Do(func() { took = measure() })
			return took
		}}
	}
	return []*benchRow{
		row("ssh", func() time.Duration { return d.cold.push(benchSmallBytes) }),
		row("ssh, ControlMaster that is connected", func() time.Duration { return d.master.push(benchSmallBytes) }),
		row("ls-remote over ssh, ControlMaster that is connected", d.master.list),
	}
}
