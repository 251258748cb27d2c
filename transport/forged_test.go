package transport

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"mellium.im/xmpp/jid"
)

// A witness notes what a session hands on.
type witness struct{ events chan string }

func (w witness) packets(from string, payload []byte) {
	w.events <- fmt.Sprintf("packet %s %s", from, payload)
}
func (w witness) undelivered(from string, _ *stanzaError) { w.events <- "error " + from }
func (w witness) presence(from jid.JID, available bool) {
	w.events <- fmt.Sprintf("presence %s %v", from, available)
}
func (w witness) linked()    {}
func (w witness) busy() bool { return false }
func (w witness) request(from jid.JID, q *iq) (kind, payload string) {
	w.events <- fmt.Sprintf("request %s %v", from, q.Knock != nil)
	return "error", unavailable
}

// rawSession logs in and returns what can send any stanza.
func rawSession(t *testing.T, s *testserver.Server, user string) (*session, witness) {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &Config{
		Account: jid.MustParse(user + "@" + s.Domain), Password: s.Accounts[user], Resource: "git-" + user, Server: s.Addr,
		RootCAs: x509.NewCertPool(), Identity: key, Status: "test", Software: "test", Version: "1", Timeout: time.Minute, Serve: true,
	}
	cfg.RootCAs.AppendCertsFromPEM(pem)
	if err := cfg.verify(); err != nil {
		t.Fatal(err)
	}
	w := witness{make(chan string, 1000)}
	session, err := startSession(t.Context(), cfg, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.close)
	return session, w
}

// Through a real server, a peer can't have what it wraps, forges or answers unasked taken for another's word.
func TestForgedByPeer(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		alice, seen := rawSession(t, s, "alice")
		bob, _ := rawSession(t, s, "bob")
		answered := make(chan string, 10)
		id, ok := alice.register("carol@"+s.Domain+"/git-carol", func(*iq, *stanzaError) { answered <- "carol" })
		if !ok {
			t.Fatal("too many questions")
		}
		toServer, _ := alice.register("", func(*iq, *stanzaError) { answered <- "server" })

		to := " to='" + alice.self.Load().String() + "'"
		payload := "<p xmlns='" + NS + "'>cGFja2V0</p>"
		carol := " from='carol@" + s.Domain + "/git-carol'"
		inner := "<message xmlns='jabber:client' type='headline'" + carol + to + ">" + payload + "</message>"
		forged := []string{
			"<message type='headline'" + to + "><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>" + inner + "</forwarded></received></message>",
			"<message type='headline'" + to + "><sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>" + inner + "</forwarded></sent></message>",
			"<message type='headline'" + to + "><result xmlns='urn:xmpp:mam:2' id='1'><forwarded xmlns='urn:xmpp:forward:0'>" + inner + "</forwarded></result></message>",
			"<message type='headline'" + to + "><x xmlns='y'>" + payload + "</x></message>",
			"<message type='headline'" + to + "><p xmlns='y'>cGFja2V0</p></message>",
			"<message type='headline'" + to + "><s:p xmlns:s='" + NS + "x'>cGFja2V0</s:p></message>",
			"<message type='headline'" + to + "><event xmlns='http://jabber.org/protocol/pubsub#event'>" + payload + "</event></message>",
			"<iq type='result' id='" + id + "'" + to + "/>",
			"<iq type='error' id='" + id + "'" + to + "><error type='cancel'><item-not-found xmlns='" + nsStanzas + "'/></error></iq>",
			"<iq type='result' id='" + toServer + "'" + to + "/>",
			"<iq type='result' id='bind'" + to + "><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>mallory@" + s.Domain + "/x</jid></bind></iq>",
			"<message type='headline'" + to + ">" + payload + "<x xmlns='y'>" + strings.Repeat("<a>", 500) + strings.Repeat("</a>", 500) + "</x></message>",
		}
		for _, stanza := range forged {
			if err := bob.out.send([]byte(stanza)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var got []string
		for len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "packet") {
			select {
			case event := <-seen.events:
				if !strings.HasPrefix(event, "presence") { // of our own resource, by the server
					got = append(got, event)
				}
			case <-ctx.Done():
				t.Fatalf("only %q", got)
			}
		}
		if want := []string{"packet " + bob.self.Load().String() + " packet"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		select {
		case who := <-answered:
			t.Errorf("bob has answered for %s", who)
		default:
		}

		// Nobody can say whom a stanza is from: the server ends the stream, or puts in who it really is.
		for _, text := range []string{carol, ""} {
			if err := bob.out.send([]byte("<message type='headline'" + text + to + ">" + payload + "</message>")); err != nil {
				t.Fatal(err)
			}
		}
		var after []string
		for deadline := time.Now().Add(30 * time.Second); bob.why.Load() == nil && !slices.Contains(after, "packet bob"); {
			select {
			case event := <-seen.events:
				after = append(after, strings.SplitAfter(event, "bob")[0])
			case <-time.After(10 * time.Millisecond): // and look whether bob was thrown out
			}
			if time.Now().After(deadline) {
				t.Fatalf("nothing happens but %q", after)
			}
		}
		pinged := make(chan struct{})
		alice.ask("", pingPayload, func(*stanzaError) { close(pinged) })
		select {
		case <-pinged:
		case <-time.After(30 * time.Second):
			t.Fatal("no answer")
		}
		for len(seen.events) > 0 {
			after = append(after, <-seen.events)
		}
		if strings.Contains(strings.Join(after, " "), "carol") {
			t.Errorf("alice has got %q", after)
		}
	})
}
