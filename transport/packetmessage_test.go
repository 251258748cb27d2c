package transport

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"gosrc.io/xmpp/stanza"
	"mellium.im/xmpp/jid"
)

const (
	onePayload = payloadOpen + "AAZwYWNrZXQ=" + payloadClose
	attributes = " to='alice@localhost/git-6a5b' from='bob@localhost/git-0c1d' type='headline' xml:lang='en'"
)

// What servers make of a peer's message.
var fromServers = map[string]string{
	"ejabberd": "<message xml:lang='en' to='alice@localhost/git-6a5b' from='bob@localhost/git-0c1d' type='headline'>" + onePayload + messageClose,
	"prosody":  "<message" + attributes + ">" + onePayload + messageClose,
	"embedded": "<message from='bob@localhost/git-0c1d' to='alice@localhost/git-6a5b' type='headline'>" + onePayload + onePayload + messageClose,
}

// What is much like it, and isn't to be read like it.
var notLikeThat = map[string]string{
	"no sender":        "<message type='headline'>" + onePayload + messageClose,
	"no type":          "<message from='bob@localhost/git-0c1d'>" + onePayload + messageClose,
	"chat":             "<message from='bob@localhost/git-0c1d' type='chat'>" + onePayload + messageClose,
	"error":            "<message from='bob@localhost/git-0c1d' type='error'>" + onePayload + "<error type='cancel'/></message>",
	"two senders":      "<message from='bob@localhost/b' from='carol@localhost/c' type='headline'>" + onePayload + messageClose,
	"two types":        "<message type='chat' from='bob@localhost/b' type='headline'>" + onePayload + messageClose,
	"a namespace":      "<message xmlns='y'" + attributes + ">" + onePayload + messageClose,
	"a prefix":         "<message xmlns:p='y'" + attributes + ">" + onePayload + messageClose,
	"prefixed":         "<x:message xmlns:x='jabber:client'" + attributes + ">" + onePayload + "</x:message>",
	"unknown":          "<message id='1'" + attributes + ">" + onePayload + messageClose,
	"prefixed from":    "<message xml:from='bob@localhost/b' type='headline'>" + onePayload + messageClose,
	"entity":           "<message from='bob&apos;@localhost/b' type='headline'>" + onePayload + messageClose,
	"bracket":          "<message from='bob<' type='headline'>" + onePayload + messageClose,
	"control":          "<message from='bob\x01' type='headline'>" + onePayload + messageClose,
	"line end":         "<message from='bob\r\n' type='headline'>" + onePayload + messageClose,
	"not utf-8":        "<message from='bob\xff' type='headline'>" + onePayload + messageClose,
	"utf-8":            "<message from='b\u00f6b' type='headline'>" + onePayload + messageClose,
	"quotes":           strings.ReplaceAll("<message"+attributes+">"+onePayload+messageClose, "'", `"`),
	"mixed quotes":     "<message from='bob\" type='headline'>" + onePayload + messageClose,
	"no space":         "<message" + strings.ReplaceAll(attributes, " ", "") + ">" + onePayload + messageClose,
	"empty":            "<message" + attributes + "/>",
	"text":             "<message" + attributes + ">text" + onePayload + messageClose,
	"space":            "<message" + attributes + "> " + onePayload + messageClose,
	"three":            "<message" + attributes + ">" + onePayload + onePayload + onePayload + messageClose,
	"no payload":       "<message" + attributes + ">" + payloadOpen + payloadClose + messageClose,
	"empty payload":    "<message" + attributes + "><p xmlns='" + NS + "'/>" + messageClose,
	"not base64":       "<message" + attributes + ">" + payloadOpen + "A" + payloadClose + messageClose,
	"a bad one first":  "<message" + attributes + ">" + payloadOpen + "A" + payloadClose + onePayload + messageClose,
	"a bad one after":  "<message" + attributes + ">" + onePayload + payloadOpen + "%%%%" + payloadClose + messageClose,
	"an entity in it":  "<message" + attributes + ">" + payloadOpen + "cGFja2V&#48;" + payloadClose + messageClose,
	"cdata":            "<message" + attributes + ">" + payloadOpen + "<![CDATA[cGFja2V0]]>" + payloadClose + messageClose,
	"a comment":        "<message" + attributes + ">" + onePayload + "<!-- x -->" + messageClose,
	"a comment in it":  "<message" + attributes + ">" + payloadOpen + "cGFj<!-- x -->a2V0" + payloadClose + messageClose,
	"an instruction":   "<message" + attributes + ">" + onePayload + "<?x y?>" + messageClose,
	"an element in it": "<message" + attributes + ">" + payloadOpen + "cGFj<b/>a2V0" + payloadClose + messageClose,
	"wrapped":          "<message" + attributes + "><x xmlns='y'>" + onePayload + "</x>" + messageClose,
	"other namespace":  "<message" + attributes + "><p xmlns='y'>cGFja2V0</p>" + messageClose,
	"another child":    "<message" + attributes + ">" + onePayload + "<delay xmlns='urn:xmpp:delay'/>" + messageClose,
	"no hints":         "<message" + attributes + ">" + onePayload + "</message>",
	"another end":      "<message" + attributes + ">" + onePayload + strings.Replace(messageClose, "</message>", "</messages>", 1),
	"too long":         "<message" + attributes + ">" + payloadOpen + strings.Repeat("AAAA", 4000) + payloadClose + messageClose,
	"endless":          "<message" + attributes + ">" + payloadOpen + strings.Repeat("AAAA", readBufBytes/4) + payloadClose + messageClose,
	"another":          "<messages" + attributes + ">" + onePayload + messageClose,
	"presence":         "<presence from='bob@localhost/b'/>",
}

// Roots in which such a message is another one.
var otherRoots = []string{
	"<stream:stream xmlns:stream='" + stanza.NSStream + "'>", "<stream:stream xmlns='y' xmlns:stream='" + stanza.NSStream + "'>",
	"<stream:stream xmlns='jabber:client' xmlns='y' xmlns:stream='" + stanza.NSStream + "'>", "<a:a a:xmlns='jabber:client' xmlns:a='jabber:client'>",
}

func TestPacketMessage(t *testing.T) {
	buf := &payloadBuffer{}
	for name, text := range fromServers {
		s := incoming(t, "")
		s.in.Reset(iotest.OneByteReader(strings.NewReader(text + "<presence/>")))
		m, ok := s.packetMessage(buf)
		if next, err := s.next(); !ok || m.kind != "headline" || m.from != "bob@localhost/git-0c1d" || string(m.payloads[0]) != "\x00\x06packet" || err != nil || next.Name.Local != "presence" {
			t.Errorf("%s: %v, %+v, then %v, %v", name, ok, m, next, err)
		}
	}
	for name, text := range notLikeThat {
		s := incoming(t, text)
		m, ok := s.packetMessage(buf)
		if rest, err := io.ReadAll(s.in.Reader); ok || err != nil || string(rest) != text {
			t.Errorf("%s: %+v, %q is left, %v", name, m, rest, err)
		}
	}
	for _, text := range otherRoots {
		s := streamOn(text + fromServers["prosody"])
		root, err := s.next()
		if s.plain = isPlain(root); err != nil {
			t.Fatal(err)
		}
		if m, ok := s.packetMessage(buf); ok {
			t.Errorf("%s: %+v", text, m)
		}
	}
}

// A recorder notes what a session hands on.
type recorder struct{ events []string }

func (r *recorder) note(format string, args ...any) {
	r.events = append(r.events, fmt.Sprintf(format, args...))
}
func (r *recorder) packets(from string, payload []byte)       { r.note("%q: %q", from, payload) }
func (r *recorder) undelivered(from string, err *stanzaError) { r.note("%q: %s", from, err.String()) }
func (r *recorder) presence(from jid.JID, available bool)     { r.note("%s: %v", from, available) }
func (r *recorder) linked()                                   {}
func (r *recorder) busy() bool                                { return false }
func (r *recorder) request(from jid.JID, _ *iq) (string, string) {
	r.note("%s asks", from)
	return "error", unavailable
}

// recorded is what a session makes of a stream, and how it ends.
func recorded(in io.Reader, byDecoder bool) []string {
	out, r := newOutbox(), &recorder{}
	out.link(true)
	s := &stream{in: &byteReader{Reader: bufio.NewReaderSize(in, readBufBytes)}}
	s.dec = xml.NewDecoder(s.in)
	root, err := s.next()
	if err == nil {
		s.plain = isPlain(root) && !byDecoder
		err = (&session{cfg: fuzzConfig(), out: out, handler: r, asked: make(map[string]*question)}).read(&link{stream: s})
	}
	r.note("%v", err)
	return r.events
}

// bothTheSame fails if it makes a difference whether messages are read from the buffer or by the decoder, in whatever pieces they come.
func bothTheSame(t *testing.T, text string) {
	t.Helper()
	want := recorded(strings.NewReader(text), true)
	for name, in := range map[string]io.Reader{"at once": strings.NewReader(text), "in bytes": iotest.OneByteReader(strings.NewReader(text)), "in halves": iotest.HalfReader(strings.NewReader(text))} {
		if got := recorded(in, false); !slices.Equal(got, want) {
			t.Fatalf("%q\n%s: %q\nby the decoder: %q", text, name, got, want)
		}
	}
}

// Whatever comes, messages that are read from the buffer are what the decoder makes of them.
func FuzzPacketMessage(f *testing.F) {
	for _, list := range []map[string]string{fromServers, notLikeThat} {
		for _, text := range list {
			f.Add(streamStart, text+" "+text+fromServers["ejabberd"]+"</stream:stream>")
		}
	}
	for _, root := range append(otherRoots, "<message xmlns='jabber:client'>") {
		f.Add(root, fromServers["prosody"])
	}
	f.Fuzz(func(t *testing.T, root, text string) { bothTheSame(t, root+text) })
}

// Every message that differs by a byte or the lack of one from a server's is read as the decoder reads it.
func TestPacketMessageByteByByte(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"prosody", "embedded"} { // the other differs by the order of attributes
		message := fromServers[server]
		for i := range message {
			bothTheSame(t, streamStart+message[:i]+message[i+1:]+message)
			bothTheSame(t, streamStart+message[:i])
			for _, b := range []byte("<>&'\"/=: A\n\xff") {
				bothTheSame(t, streamStart+message[:i]+string(b)+message[i:]+message)
				bothTheSame(t, streamStart+message[:i]+string(b)+message[i+1:]+message)
			}
		}
	}
}
