package transport

import (
	"crypto/ed25519"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/jid"
)

// shortPair is a connection that ends soon when nothing is heard.
func shortPair(t *testing.T, config func(string) Config) (alice, bob *Endpoint, c *Conn) {
	t.Helper()
	a, b := config("alice"), config("bob")
	a.Timeout, a.LostPeerGrace = 2*time.Second, time.Minute
	b.Serve, b.Admit = true, jid.MustParse("alice@localhost").Equal
	alice, bob = startEndpoint(t, a), startEndpoint(t, b)
	c, err := alice.Dial(t.Context(), bob.JID(), b.Identity.Public().(ed25519.PublicKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	return alice, bob, c
}

// expectLoss waits for the end of a connection and looks at what the user reads.
func expectLoss(t *testing.T, c *Conn, want string) {
	t.Helper()
	select {
	case <-c.Context().Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the connection lives")
	}
	_, err := c.OpenStream(t.Context())
	if err = c.Explain(err); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// What is known of why a peer is silent is told: messages to it come back, or it is our own server that is away.
func TestSilence(t *testing.T) {
	t.Run("messages come back", func(t *testing.T) {
		alice, bob, c := shortPair(t, startEmbedded(t))
		bob.session.stop()
		<-bob.session.ended.Done()
		answered := make(chan struct{}) // behind the last that he has said, which would be taken for a sign of life
		alice.session.ask("", pingPayload, func(*stanzaError) { close(answered) })
		<-answered
		said := &stanzaError{}
		if err := xml.Unmarshal([]byte("<error><remote-server-not-found xmlns='"+nsStanzas+"'/></error>"), said); err != nil {
			t.Fatal(err)
		}
		ready := make(chan struct{})
		close(ready)
		(&receiver{alice, ready}).undelivered("mallory@localhost/git-bob", said) // says nothing of bob
		(&receiver{alice, ready}).undelivered(c.peer.full, said)
		expectLoss(t, c, "nothing heard from bob@localhost/git-bob for too long: messages come back: remote-server-not-found")
	})
	var c *Conn
	t.Run("with a server", func(inner *testing.T) { _, _, c = shortPair(t, startEmbedded(inner)) })
	expectLoss(t, c, "the connection to our xmpp server is lost: ")
}
