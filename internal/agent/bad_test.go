package agent_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/agent"
	"mellium.im/xmpp/jid"
)

// Who is set up otherwise, or talks to an agent that can't do it now, is sent away before anything is opened.
func TestDeclined(t *testing.T) {
	f := start(t, &agent.Server{})
	if _, err := agent.Dial(t.Context(), f.dir, agent.Request{Login: "carol", To: request.To, Key: request.Key, Timeout: deadline}); !errors.Is(err, agent.ErrDeclined) {
		t.Errorf("another login: %v", err)
	}
	if len(f.peers) > 0 {
		t.Error("a stream was opened")
	}
	f = start(t, &agent.Server{Ready: func(context.Context) error { return errors.New("offline") }})
	if _, err := agent.Dial(t.Context(), f.dir, request); !errors.Is(err, agent.ErrDeclined) || !strings.Contains(err.Error(), "offline") {
		t.Errorf("offline: %v", err)
	}
	f = start(t, &agent.Server{Open: func(context.Context, jid.JID, ed25519.PublicKey) (agent.Stream, string, error) {
		return nil, "", agent.ErrDeclined
	}})
	if _, err := agent.Dial(t.Context(), f.dir, request); !errors.Is(err, agent.ErrDeclined) {
		t.Errorf("no connection left: %v", err)
	}
	if _, err := agent.Dial(t.Context(), privateDir(t), request); !errors.Is(err, agent.ErrDeclined) {
		t.Errorf("nobody listens: %v", err)
	}
}

// What a client may not send ends its connection, and nothing is opened for it, or its stream is cancelled.
func TestBadClient(t *testing.T) {
	good := string(frame(1, `{"version":3,"login":"alice","to":"bob@localhost","key":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","timeout":60000}`))
	for name, bytes := range map[string]string{
		"nothing":            "",
		"half a frame":       "\x01\x00\x00\x09{",
		"too large":          "\x01\xff\xff\xff",
		"unknown type":       string(frame(99, "")),
		"data at once":       string(frame(6, "x")),
		"no json":            string(frame(1, "x")),
		"another version":    string(frame(1, `{"version":1}`)),
		"another login":      string(frame(1, `{"version":3,"login":"bob","to":"bob@localhost","key":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","timeout":60000}`)),
		"full address":       string(frame(1, `{"version":3,"login":"alice","to":"bob@localhost/x","key":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","timeout":60000}`)),
		"no timeout":         string(frame(1, `{"version":3,"login":"alice","to":"bob@localhost","key":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`)),
		"no key":             string(frame(1, `{"version":3,"login":"alice","to":"bob@localhost","timeout":60000}`)),
		"endless timeout":    string(frame(1, `{"version":3,"login":"alice","to":"bob@localhost","key":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","timeout":9223372036854775807}`)),
		"no address":         string(frame(1, `{"version":3,"login":"alice","to":"\n@@","key":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","timeout":60000}`)),
		"request twice":      good + good,
		"data too large":     good + "\x06\x01\x00\x00",
		"data after the end": good + string(frame(7, "")) + string(frame(6, "x")),
		"too much data":      good + strings.Repeat(string(frame(6, "x")), 100),
		"half a code":        good + string(frame(10, "x")),
		"an agent's frame":   good + string(frame(8, "")),
		"end with a payload": good + string(frame(7, "x")),
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, &agent.Server{})
			conn, err := net.Dial("unix", filepath.Join(f.dir, "agent"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(deadline))
			if _, err := io.WriteString(conn, bytes); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(bytes, good) {
				if bytes == "" || name == "half a frame" {
					_ = conn.(*net.UnixConn).CloseWrite()
				}
				answer, err := io.ReadAll(conn)
				if len(answer) < 4 || answer[0] != 2 {
					t.Errorf("the answer is %q, %v", answer, err)
				}
				if len(f.peers) > 0 {
					t.Error("a stream was opened")
				}
				return
			}
			_, _ = io.Copy(io.Discard, conn) // until the agent hangs up
			p := await(t, f.peers, "the stream")
			p.awaitCancel(t)
			await(t, p.stream.closed, "the stream to be closed")
		})
	}
}

// What an agent may not send is as good as none before the stream is open, and a lost connection after it.
func TestBadAgent(t *testing.T) {
	opened := string(frame(3, "")) + string(frame(4, peersJID))
	for name, bytes := range map[string]string{
		"nothing":             "",
		"too large":           "\x02\xff\xff\xff",
		"opened, not taken":   string(frame(4, peersJID)),
		"failed, not taken":   string(frame(5, `{"text":"x"}`)),
		"failure of no kind":  string(frame(3, "")) + string(frame(5, `{"text":"x","kind":"y"}`)),
		"failure of more":     string(frame(3, "")) + string(frame(5, `{"text":"x","what":1}`)),
		"failure with no key": string(frame(3, "")) + string(frame(5, `{"text":"x","changed":{"want":"AA=="}}`)),
		"failure not refused": string(frame(3, "")) + string(frame(5, `{"text":"x","refusal":"AAAA"}`)),
		"data too large":      opened + "\x06\x01\x00\x00",
		"request":             opened + string(frame(1, "{}")),
		"credits for nothing": opened + string(frame(8, "")),
		"stopped by nothing":  opened + string(frame(9, "")),
		"path":                opened + string(frame(13, "[]")),
		"half a frame":        opened + string(frame(6, "xy"))[:5],
	} {
		t.Run(name, func(t *testing.T) {
			dir, conns := fakeAgent(t, func(conn net.Conn) {
				_, _ = io.WriteString(conn, bytes) // the client may hang up before the end
				_ = conn.(*net.UnixConn).CloseWrite()
			})
			c, err := agent.Dial(t.Context(), dir, request)
			defer func() { _ = await(t, conns, "the connection").Close() }()
			if !strings.HasPrefix(bytes, opened) {
				if !errors.Is(err, agent.ErrDeclined) {
					t.Errorf("dial: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if n, err := io.Copy(io.Discard, c); err == nil || n > 0 {
				t.Errorf("%d bytes, and %v", n, err)
			} else {
				t.Log(err)
			}
		})
	}
}

// An agent that doesn't answer is done without.
func TestSilentAgent(t *testing.T) {
	t.Parallel() // it waits
	dir, conns := fakeAgent(t, func(net.Conn) {})
	began := time.Now()
	if _, err := agent.Dial(t.Context(), dir, request); !errors.Is(err, agent.ErrDeclined) {
		t.Errorf("dial: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	_ = await(t, conns, "the connection").Close()
}
