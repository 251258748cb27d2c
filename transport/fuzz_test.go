package transport

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gosrc.io/xmpp/stanza"
	"mellium.im/sasl"
	"mellium.im/xmpp/jid"
)

// deaf is a handler that takes anything.
type deaf struct{}

func (deaf) packets(string, []byte)                 {}
func (deaf) undelivered(_ string, err *stanzaError) { _ = err.String() }
func (deaf) presence(jid.JID, bool)                 {}
func (deaf) linked()                                {}
func (deaf) busy() bool                             { return false }
func (deaf) request(_ jid.JID, q *iq) (string, string) {
	if q.Disco != nil {
		if payload, err := discoPayload(&Config{Software: "test"}, clean(q.Disco.Node)); err == nil {
			return "result", payload
		}
	}
	return "error", unavailable
}

// A deafConn is a connection on which a text comes in, and that keeps what goes out.
type deafConn struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (c *deafConn) Read(b []byte) (int, error)  { return c.in.Read(b) }
func (c *deafConn) Write(b []byte) (int, error) { return c.out.Write(b) }

func streamOn(text string) *stream {
	conn := &deafConn{in: strings.NewReader(text)}
	s := &stream{conn: conn, in: &byteReader{Reader: bufio.NewReaderSize(conn, readBufBytes)}}
	s.dec = xml.NewDecoder(s.in)
	return s
}

func fuzzConfig() *Config {
	return &Config{Account: jid.MustParse("alice@localhost"), Password: "Pa55w0rd", Resource: "git-a", Log: slog.New(slog.DiscardHandler)}
}

// Whatever stanzas come in a session, reading ends, what is answered is well-formed and small, and a question is answered by nobody but who was asked.
func FuzzSession(f *testing.F) {
	for _, text := range []string{
		"<iq type='get' id='1' from='localhost'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq type='get' id='1' from='bob@localhost/b'><query xmlns='http://jabber.org/protocol/disco#info' node='n&lt;'/></iq>",
		"<iq type='get' id='1' from='bob@localhost/b'><knock xmlns='" + NS + "' tag='AAAAAAAAAAAAAAAAAAAAAA=='/></iq>",
		"<iq type='result' id='q1' from='bob@localhost/b'/>", "<iq type='result' id='q1' from='carol@localhost/c'/>",
		"<iq type='error' id='q1' from='carol@localhost/c'><error type='cancel'><gone xmlns='" + nsStanzas + "'>x</gone></error></iq>",
		"<presence from='bob@localhost/b' type='unavailable'><x xmlns='y'/></presence>", "<presence from='bob@localhost'/>",
		"<message type='error' from='bob@localhost/b'><error type='wait'><text xmlns='" + nsStanzas + "'>t\x1b</text></error></message>",
		"<message type='headline' from='bob@localhost/b'><p xmlns='" + NS + "'>cGFja2V0</p></message>",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out := newOutbox()
		out.link(true)
		s := &session{cfg: fuzzConfig(), out: out, handler: deaf{}, asked: make(map[string]*question)}
		carol := false
		if _, ok := s.register("carol@localhost/c", func(*iq, *stanzaError) { carol = true }); !ok {
			t.Fatal("no question")
		}
		if err := s.read(&link{stream: streamOn(streamStart + text)}); err == nil {
			t.Fatal("reading goes on")
		}
		if carol && !strings.Contains(text, "carol") && !strings.Contains(text, "&") { // she may be written in characters' numbers
			t.Fatal("somebody has answered for carol")
		}
		if len(out.queue) > maxQueuedStanzas {
			t.Fatalf("%d stanzas wait", len(out.queue))
		}
		for _, item := range out.queue {
			if len(item.stanza) > maxMessageBytes {
				t.Fatalf("%d bytes", len(item.stanza))
			}
			if err := xml.Unmarshal(item.stanza, new(struct{})); err != nil {
				t.Fatalf("%q: %v", item.stanza, err)
			}
		}
	})
}

// Whatever a server says in a login, it ends, and who has logged in by SCRAM before never says the password. Without the password nobody proves to be the server.
func FuzzLogin(f *testing.F) {
	const head = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
	offer := head + "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>NAME</mechanism></mechanisms>" +
		"<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding></stream:features>"
	for _, name := range []string{"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"} {
		for _, answer := range []string{"<success xmlns='" + stanza.NSSASL + "'/>", "<success xmlns='" + stanza.NSSASL + "'>dj14</success>",
			"<challenge xmlns='" + stanza.NSSASL + "'>cj14LHM9UVE9PSxpPTQwOTY=</challenge>", "<failure xmlns='" + stanza.NSSASL + "'><not-authorized/><text>x</text></failure>",
			"<stream:error><see-other-host xmlns='" + nsStreams + "'>[::1]:5222</see-other-host></stream:error>"} {
			f.Add(strings.Replace(offer, "NAME", name, 1) + answer)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg := fuzzConfig()
		cfg.Record = scramBefore{}
		conn := &deafConn{in: strings.NewReader(text)}
		s, offered, err := openStream(conn, cfg.Account, true, "")
		if err == nil {
			_, err = authenticate(s, cfg, tls.ConnectionState{Version: tls.VersionTLS12, TLSUnique: []byte("unique")}, offered)
		}
		if err == nil {
			t.Fatal("logged in")
		}
		redirect(err)
		out := conn.out.String()
		for _, secret := range []string{cfg.Password, base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + cfg.Password))} {
			if strings.Contains(out, secret) {
				t.Fatalf("%q", out)
			}
		}
		if !errors.Is(err, ErrServer) {
			err = inWords(err)
		}
		if len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Fatalf("%q", err)
		}
	})
}

type scramBefore struct{}

func (scramBefore) Strongest() (string, error) { return "SCRAM-SHA-1", nil }
func (scramBefore) Raise(string) error         { return nil }
func (scramBefore) Remedy() string             { return "-" }

// Whatever a server's messages of SCRAM are, the mechanism comes to an end with what is let through, and nobody is taken for the server.
func FuzzSCRAM(f *testing.F) {
	f.Add("s=QQ==,i=4096", "v=AAAA")
	f.Add("s=QQ==,i=4096,", "")
	f.Add("s=QQ==,i=4096,h=x", "e=other-error")
	f.Add("s=,i=,r=", "v=")
	f.Add("i=4096,s=QQ==,x", "v")
	f.Fuzz(func(t *testing.T, first, final string) {
		offered := &features{Mechanisms: []string{"SCRAM-SHA-256"}}
		client := newClient(fuzzConfig(), sasl.ScramSha256, tls.ConnectionState{Version: tls.VersionTLS13}, offered)
		_, response, err := client.Step(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(response, []byte("y,,")) {
			t.Fatalf("%q", response)
		}
		first = "r=" + string(client.Nonce()) + "x," + first
		if checkServerFirst([]byte(first), "SCRAM-SHA-256", offered) != nil {
			return
		}
		for field := range strings.SplitSeq(first, ",") {
			if n, err := strconv.Atoi(strings.TrimPrefix(field, "i=")); err == nil && strings.HasPrefix(field, "i=") && (n < minIterations || n > maxIterations) {
				t.Fatalf("%d iterations are let through", n)
			} else if n > 3*minIterations {
				return // allowed, but slow here
			}
		}
		if _, _, err := client.Step([]byte(first)); err != nil {
			return
		}
		if _, _, err := client.Step([]byte(final)); err == nil {
			t.Fatalf("%q proves that it knows the password", final)
		}
	})
}

// Whatever a stream error says, it is told in one short line, and a host to go to is one.
func FuzzStreamError(f *testing.F) {
	for _, text := range []string{"<conflict xmlns='" + nsStreams + "'/>", "<see-other-host xmlns='" + nsStreams + "'>xmpp.example.org:5269</see-other-host>",
		"<see-other-host xmlns='" + nsStreams + "'>[2001:db8::1]</see-other-host><text xmlns='" + nsStreams + "'>x</text>", "<see-other-host xmlns='" + nsStreams + "'>a%b:0</see-other-host>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := streamOn(streamStart + "<stream:error>" + text + "</stream:error>")
		if _, err := s.next(); err != nil {
			t.Fatal(err)
		}
		_, err := s.next()
		var said *streamError
		if !errors.As(err, &said) {
			return
		}
		if len(said.Error()) > 700 || strings.ContainsAny(said.Error(), "\n\r\x1b\x00") {
			t.Fatalf("%q", said)
		}
		at := redirect(err)
		if at == nil {
			return
		}
		host, port, err := net.SplitHostPort(at.addr)
		if n, portErr := strconv.Atoi(port); err != nil || portErr != nil || n < 1 || n > 65535 || host == "" || at.directTLS {
			t.Fatalf("%+v", at)
		}
	})
}

// What is taken for a knock's tag is one, and is written as it was read. An offer has one hash, in whatever order it comes.
func FuzzTag(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAAAA==")
	f.Add("AAAAAAAAAAAAAAAAAAAAA===")
	f.Add("\nAAAAAAAAAAAAAAAAAAAAAA==")
	f.Fuzz(func(t *testing.T, text string) {
		if tag, err := decodeTag(text); err == nil && tag != nil {
			again, err := decodeTag(base64.StdEncoding.EncodeToString(tag))
			if len(tag) != knockTagBytes || err != nil || !bytes.Equal(tag, again) || !strings.Contains(knockPayload(tag), "tag='") {
				t.Fatalf("%q", text)
			}
		}
		names := strings.Fields(text)
		a := offerHash("SCRAM-SHA-256", &features{Mechanisms: names})
		slices.Reverse(names)
		if b := offerHash("SCRAM-SHA-256", &features{Mechanisms: names}); a != b {
			t.Fatalf("%q: %s, %s", text, a, b)
		}
	})
}
