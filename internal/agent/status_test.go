package agent_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/internal/agent"
	"mellium.im/xmpp/jid"
)

// The status arrives as it was made, whatever its size, and whether streams can be opened or not.
func TestStatus(t *testing.T) {
	for _, size := range []int{0, 10, 100_000, 5 << 20} {
		want := fmt.Appendf(nil, `{"text": %q}`, strings.Repeat("x", size))
		f := start(t, &agent.Server{
			Ready:  func(context.Context) error { return errors.New("offline") },
			Status: func(context.Context) ([]byte, error) { return want, nil },
		})
		if got, err := agent.Status(t.Context(), f.dir); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
		}
	}
}

// That there is no agent is told from one that has no status to give.
func TestNoStatus(t *testing.T) {
	killed := privateDir(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(killed, "agent"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for name, dir := range map[string]string{"no folder": filepath.Join(killed, "none"), "no socket": privateDir(t), "one that was killed": killed} {
		if _, err := agent.Status(t.Context(), dir); !errors.Is(err, agent.ErrNone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]*agent.Server{
		"without a status": {},
		"failed":           {Status: func(context.Context) ([]byte, error) { return nil, errors.New("no idea") }},
		"too large":        {Status: func(context.Context) ([]byte, error) { return make([]byte, 16<<20+1), nil }},
	} {
		f := start(t, s)
		if _, err := agent.Status(t.Context(), f.dir); !errors.Is(err, agent.ErrDeclined) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What isn't the status of an agent isn't taken for one.
func TestBadStatus(t *testing.T) {
	for name, frames := range map[string]string{
		"nothing":       "",
		"no document":   string(frame(7, "")),
		"no JSON":       string(frame(6, "{")) + string(frame(7, "")),
		"cut off":       string(frame(6, "{}")),
		"another frame": string(frame(3, "")),
		"endless":       strings.Repeat(string(frame(6, strings.Repeat(" ", 4096))), 16<<20/4096+1),
	} {
		t.Run(name, func(t *testing.T) {
			dir, conns := fakeAgent(t, func(conn net.Conn) {
				_, _ = conn.Write([]byte(frames)) // the client may hang up
				_ = conn.Close()
			})
			if document, err := agent.Status(t.Context(), dir); err == nil || errors.Is(err, agent.ErrNone) {
				t.Errorf("%d bytes, %v", len(document), err)
			}
			await(t, conns, "the agent to end")
		})
	}
}

// A client that is called off doesn't wait for the status, and one whose status hangs holds up nobody.
func TestStatusCalledOff(t *testing.T) {
	asked := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	f := start(t, &agent.Server{
		Open: func(context.Context, jid.JID, ed25519.PublicKey) (agent.Stream, string, error) {
			return nil, "", agent.ErrDeclined
		},
		Status: func(ctx context.Context) ([]byte, error) {
			close(asked)
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})
	go func() {
		<-asked
		cancel()
	}()
	if _, err := agent.Status(ctx, f.dir); !errors.Is(err, context.Canceled) {
		t.Errorf("status: %v", err)
	}
	if _, err := agent.Dial(t.Context(), f.dir, request); !errors.Is(err, agent.ErrDeclined) {
		t.Errorf("dial: %v", err)
	}
}
