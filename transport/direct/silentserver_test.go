package direct

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// silentServers are one of each kind: what is sent to them arrives, and nothing comes back.
func silentServers(t *testing.T) []Server {
	t.Helper()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = udp.Close()
		_ = tcp.Close()
	})
	overUDP, overTCP := udp.LocalAddr().(*net.UDPAddr).Port, tcp.Addr().(*net.TCPAddr).Port
	return []Server{
		{Host: "127.0.0.1", Port: overUDP},
		{Host: "127.0.0.1", Port: overUDP, TURN: true, Username: "u", Password: "p"},
		{Host: "127.0.0.1", Port: overUDP, TURN: true, TLS: true, Username: "u", Password: "p"},
		{Host: "127.0.0.1", Port: overTCP, TURN: true, TCP: true, Username: "u", Password: "p"},
		{Host: "localhost", Port: overTCP, TURN: true, TCP: true, TLS: true, Username: "u", Password: "p"},
	}
}

// A link whose connection ends doesn't wait for servers that don't answer: git would.
func TestSilentServers(t *testing.T) {
	t.Parallel()
	for _, server := range silentServers(t) {
		t.Run(server.String(), func(t *testing.T) {
			t.Parallel()
			l := New(Config{Controlling: true, Loopback: true, Servers: func(context.Context) []Server { return []Server{server} }})
			ctx, cancel := context.WithCancel(t.Context())
			in, peer := io.Pipe()
			ours, out := io.Pipe()
			defer context.AfterFunc(ctx, func() { _, _ = peer.Close(), ours.Close() })()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = l.Run(ctx, in, out)
			}()
			var buf [maxSignalBytes]byte
			for s := (signal{}); s.kind != signalCandidate; { // servers are asked by then
				var err error
				if s, err = readSignal(ours, buf[:]); err != nil {
					t.Fatal(err)
				}
			}
			cancel()
			begin := time.Now()
			<-ended
			if took := time.Since(begin); took > relayWithin/2 {
				t.Errorf("the link ended after %v", took)
			}
		})
	}
}
