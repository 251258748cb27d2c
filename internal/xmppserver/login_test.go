package xmppserver

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
	"mellium.im/sasl"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
)

// dialMellium logs in with mellium's client by STARTTLS.
func dialMellium(t *testing.T, s *Server, password string, version uint16, m sasl.Mechanism) (*xmpp.Session, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	cfg := trusting(t, s)
	cfg.MaxVersion = version
	return xmpp.NewClientSession(ctx, jid.MustParse("alice@localhost"), conn,
		xmpp.StartTLS(cfg), xmpp.SASL("", password, m), xmpp.BindResource())
}

func TestEveryMechanism(t *testing.T) {
	s := serve(t, nil)
	for _, m := range []sasl.Mechanism{
		sasl.ScramSha256Plus, sasl.ScramSha1Plus, sasl.ScramSha256, sasl.ScramSha1, sasl.Plain,
	} {
		t.Run(m.Name, func(t *testing.T) {
			session, err := dialMellium(t, s, "secret-a", tls.VersionTLS13, m)
			if err != nil {
				t.Fatal(err)
			}
			got := session.LocalAddr()
			if got.Bare().String() != "alice@localhost" || got.Resourcepart() == "" {
				t.Errorf("bound %s", got)
			}
		})
		t.Run(m.Name+"/wrong password", func(t *testing.T) {
			_, err := dialMellium(t, s, "secret-b", tls.VersionTLS13, m)
			if err == nil || !strings.Contains(err.Error(), "not-authorized") {
				t.Fatalf("got %v, want not-authorized", err)
			}
		})
	}
}

func TestFeatures(t *testing.T) {
	s := serve(t, nil)
	p := rawPeer(t, s)
	features := p.open()
	if features.child("starttls") == nil || features.child("starttls").child("required") == nil || len(features.Nodes) != 1 {
		t.Fatalf("before TLS: %+v", features)
	}
	p.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	if got := p.next().XMLName.Local; got != "proceed" {
		t.Fatal(got)
	}
	p.secure(trusting(t, s))
	features = p.open()
	want := []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"}
	if got := mechanismsOf(features); !slices.Equal(got, want) {
		t.Errorf("mechanisms %q, want %q", got, want)
	}
	if cb := features.child("sasl-channel-binding"); cb == nil || cb.Nodes[0].attr("type") != "tls-exporter" {
		t.Errorf("channel bindings: %+v", cb)
	}
	p.plain("alice", "secret-a")
	features = p.open()
	if l := features.child("limits"); l == nil || l.XMLName.Space != nsLimits || l.child("max-bytes").Text != "262144" {
		t.Errorf("limits: %+v", l)
	}
	if features.child("bind") == nil || features.child("mechanisms") != nil {
		t.Errorf("after login: %+v", features)
	}
	p.bind("here")
	if p.jid != "alice@localhost/here" {
		t.Errorf("bound %s", p.jid)
	}
}

func mechanismsOf(features node) (names []string) {
	for _, m := range features.child("mechanisms").Nodes {
		names = append(names, m.Text)
	}
	return names
}

func TestNoChannelBindingBeforeTLS13(t *testing.T) {
	s := serve(t, nil)
	p := rawPeer(t, s)
	cfg := trusting(t, s)
	cfg.MaxVersion = tls.VersionTLS12
	p.secure(cfg)
	features := p.open()
	if got, want := mechanismsOf(features), []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"}; !slices.Equal(got, want) {
		t.Errorf("mechanisms %q, want %q", got, want)
	}
	if features.child("sasl-channel-binding") != nil {
		t.Error("channel binding is announced")
	}
}

// conversation runs SCRAM by hand and returns the server's last element.
func conversation(t *testing.T, p *peer, mechanism string, conv *scram.ClientConversation) node {
	t.Helper()
	out, err := conv.Step("")
	if err != nil {
		t.Fatal(err)
	}
	p.sendAuth(mechanism, out)
	for {
		n := p.next()
		if n.XMLName.Local == "failure" {
			return n
		}
		in, err := base64.StdEncoding.DecodeString(n.Text)
		if err != nil {
			t.Fatal(err)
		}
		if out, err = conv.Step(string(in)); err != nil {
			t.Fatal(err)
		}
		if n.XMLName.Local == "success" {
			if !conv.Valid() {
				t.Fatal("the server didn't show that it knows the password")
			}
			return n
		}
		p.send("<response xmlns='%s'>%s</response>", nsSASL, base64.StdEncoding.EncodeToString([]byte(out)))
	}
}

func scramClient(t *testing.T, user, identity string) *scram.Client {
	t.Helper()
	c, err := scram.SHA256.NewClient(user, "secret-"+user[:1], identity)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRefusedLogins runs several attempts on one stream: a refusal leaves the
// next attempt possible.
func TestRefusedLogins(t *testing.T) {
	s := serve(t, nil)
	p := tlsPeer(t, s)
	p.open()
	wrong := scram.ChannelBinding{Type: scram.ChannelBindingTLSExporter, Data: []byte("another connection's")}
	refused := func(what string, n node, want string) {
		t.Helper()
		if n.XMLName.Local != "failure" || n.Nodes[0].XMLName.Local != want {
			t.Errorf("%s: got %+v, want %s", what, n, want)
		}
	}
	refused("other channel", conversation(t, p, "SCRAM-SHA-256-PLUS",
		scramClient(t, "alice", "").NewConversationWithChannelBinding(wrong)), "not-authorized")
	refused("downgrade", conversation(t, p, "SCRAM-SHA-256",
		scramClient(t, "alice", "").NewConversationAdvertisingChannelBinding()), "not-authorized")
	refused("other identity", conversation(t, p, "SCRAM-SHA-256",
		scramClient(t, "alice", "bob@localhost").NewConversation()), "not-authorized")
	p.sendAuth("GSSAPI", "x")
	refused("unknown mechanism", p.next(), "invalid-mechanism")
	if n := conversation(t, p, "SCRAM-SHA-256", scramClient(t, "alice", "alice@localhost").NewConversation()); n.XMLName.Local != "success" {
		t.Errorf("own identity: %+v", n)
	}
}

func TestUnknownAccountLooksLikeAnyOther(t *testing.T) {
	s := serve(t, nil)
	p := tlsPeer(t, s)
	p.open()
	var salts []string
	for range 2 {
		p.sendAuth("SCRAM-SHA-256", "n,,n=nobody,r=abcdefgh")
		n := p.next()
		if n.XMLName.Local != "challenge" {
			t.Fatalf("got %+v, want a challenge", n)
		}
		data, _ := base64.StdEncoding.DecodeString(n.Text)
		salts = append(salts, strings.Split(string(data), ",")[1])
		p.send("<abort xmlns='%s'/>", nsSASL)
		if n := p.next(); n.Nodes[0].XMLName.Local != "aborted" {
			t.Fatalf("got %+v", n)
		}
	}
	if salts[0] != salts[1] {
		t.Errorf("salts %q differ", salts)
	}
}

func TestGuessingEnds(t *testing.T) {
	s := serve(t, nil)
	p := tlsPeer(t, s)
	p.open()
	for range maxLoginFailures {
		p.sendAuth("PLAIN", "\x00alice\x00wrong")
		if n := p.next(); n.XMLName.Local != "failure" {
			t.Fatalf("got %+v", n)
		}
	}
	p.expectEnd("policy-violation")
}

func TestLoginWithoutInitialResponse(t *testing.T) {
	s := serve(t, nil)
	p := tlsPeer(t, s)
	p.open()
	p.send("<auth xmlns='%s' mechanism='PLAIN'/>", nsSASL)
	if n := p.next(); n.XMLName.Local != "challenge" {
		t.Fatalf("got %+v", n)
	}
	p.send("<response xmlns='%s'>%s</response>", nsSASL, base64.StdEncoding.EncodeToString([]byte("\x00alice\x00secret-a")))
	if n := p.next(); n.XMLName.Local != "success" {
		t.Fatalf("got %+v", n)
	}
}

// TestPipelined sends login, new stream, bind and a message in one write: bytes
// after what a negotiation step needs must reach the next one.
func TestPipelined(t *testing.T) {
	s := serve(t, nil)
	p := tlsPeer(t, s)
	auth := base64.StdEncoding.EncodeToString([]byte("\x00alice\x00secret-a"))
	p.send("%s\n<auth xmlns='%s' mechanism='PLAIN'>%s</auth>%s\n"+
		"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>"+
		"<message type='headline' to='alice@localhost/r' id='m'/>", header, nsSASL, auth, header)
	p.skipHeader()
	p.next() // features
	if n := p.next(); n.XMLName.Local != "success" {
		t.Fatalf("got %+v", n)
	}
	// The restarted stream is inside the first one for this decoder.
	for {
		token, err := p.d.RawToken()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(sprint(token), "alice@localhost/r") {
			break
		}
	}
	for {
		token, err := p.d.RawToken()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(sprint(token), "headline") {
			return
		}
	}
}
