package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"git-remote-xmpp/integration/network"
	"git-remote-xmpp/integration/testserver"
)

// inBandSSH is the rate of a connection of ssh's, from its login on, between machines that are as far from each other as Alice and Bob are.
func inBandSSH(b *testing.B, delay time.Duration, data []byte) *benchRow {
	b.Helper()
	place, do := testserver.Place{}, func(f func()) { f() }
	if delay > 0 {
		n := network.New(b, network.Options{Delay: 2 * delay})
		place, do = testserver.Place{Host: n.AddrB.String(), Enter: n.B.Do}, n.A.Do
	}
	sshd := benchSSHD(b, place)
	return &benchRow{
		over: fmt.Sprintf("%d ms, ssh", delay.Milliseconds()), name: "one connection", bytes: len(data), curve: "ssh", x: float64(delay.Milliseconds()),
		measure: func() (took time.Duration) {
			var err error
			do(func() { took, err = sendBySSH(b.Context(), sshd, data) })
			if err != nil {
				b.Fatal(err)
			}
			return took
		},
	}
}

// sendBySSH logs in, sends data to a program that says when it has all, and returns how long that took.
func sendBySSH(ctx context.Context, sshd *testserver.SSHServer, data []byte) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+sshd.Command+" "+sshd.URL("")+" 'echo && cat >/dev/null && echo'")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var line [1]byte
	if _, err = io.ReadFull(out, line[:]); err == nil {
		begin := time.Now()
		if _, err = io.Copy(in, bytes.NewReader(data)); err == nil {
			err = in.Close()
		}
		if err == nil {
			_, err = io.ReadFull(out, line[:])
		}
		took = time.Since(begin)
	}
	cancel() // it has nothing to do any more, or has failed
	_ = cmd.Wait()
	return took, err
}
