package agent_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"git-remote-xmpp/internal/agent"
	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// An error of the peer's comes out as what it was.
func TestFailures(t *testing.T) {
	key := func(b byte) ed25519.PublicKey { return bytes.Repeat([]byte{b}, ed25519.PublicKeySize) }
	names := make([]string, protocol.MaxNames)
	for i := range names {
		names[i] = fmt.Sprintf("%02d%s", i, strings.Repeat("n", 220))
	}
	for name, want := range map[string]error{
		"nobody":      fmt.Errorf("none of the 2 peers known at bob@localhost: %w", transport.ErrNobody),
		"blocked":     fmt.Errorf("bob@localhost is on the block list of alice@localhost: %w", transport.ErrBlocked),
		"lost":        fmt.Errorf("bob went silent: %w", transport.ErrLost),
		"no key":      fmt.Errorf("%w for bob@localhost", client.ErrNoKey),
		"key changed": &transport.KeyChangedError{Peer: peersJID, Want: key(1), Got: key(2)},
		"refused":     &protocol.Refuse{Code: protocol.CodeAmbiguous, Text: strings.Repeat("ü", 512), Names: names},
		"other":       errors.New("disk full"),
	} {
		for _, when := range []string{"opening", "reading"} {
			t.Run(name+" "+when, func(t *testing.T) {
				s := &agent.Server{}
				if when == "opening" {
					s.Open = func(context.Context, jid.JID, ed25519.PublicKey) (agent.Stream, string, error) { return nil, "", want }
				}
				f := start(t, s)
				c, err := agent.Dial(t.Context(), f.dir, request)
				if when == "reading" {
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(c.Close)
					_ = await(t, f.peers, "a stream").Writer.(*io.PipeWriter).CloseWithError(want)
					_, err = c.Read(make([]byte, 1))
				}
				sameError(t, err, want)
			})
		}
	}
}

func sameError(t *testing.T, got, want error) {
	t.Helper()
	var wantKey, gotKey *transport.KeyChangedError
	var wantRefusal, gotRefusal *protocol.Refuse
	switch {
	case got == nil || errors.Is(got, agent.ErrDeclined):
		t.Fatalf("got %v, want %v", got, want)
	case errors.As(want, &wantKey):
		if !errors.As(got, &gotKey) || gotKey.Peer != wantKey.Peer || !gotKey.Want.Equal(wantKey.Want) || !gotKey.Got.Equal(wantKey.Got) {
			t.Errorf("got %#v", got)
		}
	case errors.As(want, &wantRefusal):
		if !errors.As(got, &gotRefusal) || gotRefusal.Code != wantRefusal.Code || gotRefusal.Error() != wantRefusal.Error() {
			t.Errorf("got %#v", got)
		}
	case got.Error() != want.Error():
		t.Errorf("got %q, want %q", got, want)
	}
	for _, kind := range []error{transport.ErrNobody, transport.ErrBlocked, transport.ErrLost, transport.ErrKeyChanged, client.ErrNoKey} {
		if errors.Is(got, kind) != errors.Is(want, kind) {
			t.Errorf("%v: is it %v?", got, kind)
		}
	}
}

// What an agent says is fit for a terminal.
func TestTextsAreCleaned(t *testing.T) {
	f := start(t, &agent.Server{Open: func(context.Context, jid.JID, ed25519.PublicKey) (agent.Stream, string, error) {
		return nil, "", errors.New("\x1b[31mred\nline\xff" + strings.Repeat("x", 5000))
	}})
	_, err := agent.Dial(t.Context(), f.dir, request)
	if err == nil || !strings.HasPrefix(err.Error(), " [31mred line?x") && !strings.HasPrefix(err.Error(), " [31mred line\ufffdx") || len(err.Error()) > 1100 {
		t.Errorf("dial: %q", err)
	}
}
