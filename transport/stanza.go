package transport

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"git-remote-xmpp/chunk"
	"github.com/quic-go/quic-go"
	"mellium.im/xmpp/jid"
)

const (
	// maxMessageBytes is the most that a stanza of ours may have: servers that refuse larger ones work.
	maxMessageBytes = 8192
	// recordBytes is the size of TLS records, and of stanzas with full packets, that Prosody reads best.
	recordBytes = 4096

	// maxPayloads is how many payloads one message carries.
	maxPayloads = 2

	messageOpen  = "<message to='"
	messageType  = "' type='headline'>"
	payloadOpen  = "<p xmlns='" + NS + "'>"
	payloadClose = "</p>"
	messageClose = "<no-store xmlns='urn:xmpp:hints'/><no-permanent-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/></message>"
)

// A peer is one full JID that we exchange packets with. It is the [net.Addr] that QUIC sees.
type peer struct {
	jid  jid.JID
	full string // as a string
	to   string // escaped, for stanzas

	bounced atomic.Pointer[string] // why a message to it came back; nil when something has come from it since

	// For the outbox.
	last     []byte // the payload that was sent last
	lastSent time.Time
	insisted int       // times that it was repeated
	lastFull time.Time // when the last full packet was queued

	limit   rateLimit // of what goes through servers, after one that is not ours has complained
	routes  routes
	direct  *directAddr
	flight  flight
	pace    pace
	heardAt atomic.Int64              // when something came last by the way that ours goes, as time since processStart: clocks are set
	conn    atomic.Pointer[quic.Conn] // the latest, for its round trip
	came    arrivals
	unread  unread
	closing atomic.Int32 // connections that say goodbye
}

func newPeer(full jid.JID) *peer {
	p := &peer{jid: full, full: full.String(), to: escape(full.String())}
	p.direct = &directAddr{p}
	return p
}

// Network is "xmpp".
func (p *peer) Network() string { return "xmpp" }

// String is the full JID.
func (p *peer) String() string { return p.full }

// paced notes a packet, and tells whether it is one of many full ones.
func (p *peer) paced(size int, now time.Time) bool {
	if size < minPacketBytes {
		return false
	}
	before := p.lastFull
	p.lastFull = now
	return now.Sub(before) < pacedWindow
}

// heard says that something came from the peer through servers.
func (p *peer) heard() {
	p.arrived()
	if p.bounced.Load() != nil {
		p.bounced.Store(nil)
	}
}

// arrived says that what we have sent before one round trip has arrived, or is lost.
func (p *peer) arrived() {
	p.heardAt.Store(int64(time.Since(processStart)))
	p.pace.wake()
}

// lastHeard is when that was said last.
func (p *peer) lastHeard() time.Time { return processStart.Add(time.Duration(p.heardAt.Load())) }

// whyNot says why messages don't reach the peer, if a server has said it.
func (p *peer) whyNot() string {
	if why := p.bounced.Load(); why != nil {
		return ": messages come back: " + *why
	}
	return ""
}

// envelopeBytes is the length of a message stanza to p without payloads.
func (p *peer) envelopeBytes() int {
	return len(messageOpen) + len(p.to) + len(messageType) + len(messageClose)
}

// payloadBytes is what a payload of n bytes adds to a message.
func payloadBytes(n int) int {
	return len(payloadOpen) + base64.StdEncoding.EncodedLen(n) + len(payloadClose)
}

// appendOpen begins a message stanza to p, appendPayload adds a payload to it, and messageClose ends it.
func (p *peer) appendOpen(b []byte) []byte {
	b = append(b, messageOpen...)
	b = append(b, p.to...)
	return append(b, messageType...)
}

func appendPayload(b, payload []byte) []byte {
	b = append(b, payloadOpen...)
	b = base64.StdEncoding.AppendEncode(b, payload)
	return append(b, payloadClose...)
}

// payloadLimit is how many bytes a payload to p has at the most: as many as a
// record takes in a stanza of its own, or with a very long JID as many as the largest stanza does.
func (p *peer) payloadLimit() int {
	room := recordBytes - p.envelopeBytes() - payloadBytes(0)
	if room < base64.StdEncoding.EncodedLen(minPacketBytes+2) {
		room = maxMessageBytes - p.envelopeBytes() - payloadBytes(0)
	}
	return min(room/4*3, chunk.MaxPayloadBytes)
}

// A message is a packet message as it comes in.
type message struct {
	from     string
	kind     string
	payloads [][]byte // base64 undone; valid until the next one is read
	// other is what it brings besides: a copy of one of another session (XEP-0280), or one of the archive (XEP-0313).
	other xml.StartElement
	err   *stanzaError
}

// A payloadBuffer takes the payloads of one message. The 2 more bytes are what undoing base64 may want to write.
type payloadBuffer struct {
	bytes [maxPayloads][chunk.MaxPayloadBytes + 2]byte
	list  [maxPayloads][]byte
}

// readMessage reads a message with its payloads, which are direct children; there are at most maxPayloads, and more are left out.
func (s *stream) readMessage(start xml.StartElement, buf *payloadBuffer) (message, error) {
	m := message{from: attr(start, "from"), kind: attr(start, "type"), payloads: buf.list[:0]}
	for {
		token, err := s.dec.Token()
		if err != nil {
			return m, err
		}
		switch token := token.(type) {
		case xml.EndElement:
			return m, nil
		case xml.StartElement:
			switch {
			case token.Name.Space == NS && token.Name.Local == "p" && len(m.payloads) < maxPayloads:
				var payload []byte
				if payload, err = s.readPayload(buf.bytes[len(m.payloads)][:]); payload != nil {
					m.payloads = append(m.payloads, payload)
				}
			case m.kind == "error" && token.Name.Local == "error":
				m.err = &stanzaError{}
				err = s.decode(m.err, token)
			default:
				if token.Name.Space == nsCarbons || token.Name.Space == nsArchive {
					m.other = token.Copy()
				}
				err = s.skip()
			}
			if err != nil {
				return m, err
			}
		}
	}
}

// readPayload reads a payload element to its end; its start has just been read. What isn't base64 of a payload, with nothing else
// in the element, is left out: the result is nil.
func (s *stream) readPayload(buf []byte) ([]byte, error) {
	if s.in.afterEmptyTag() {
		return nil, s.skip()
	}
	text, err := s.in.text(base64.StdEncoding.EncodedLen(chunk.MaxPayloadBytes))
	if err != nil {
		return nil, err
	}
	var payload []byte
	if n, err := base64.StdEncoding.Decode(buf, text); err == nil && n > 0 {
		payload = buf[:n]
	}
	token, err := s.dec.Token()
	if err != nil {
		return nil, err
	}
	switch token.(type) {
	case xml.EndElement:
		return payload, nil
	case xml.StartElement:
		if err := s.skip(); err != nil { // what is inside, then the rest
			return nil, err
		}
	}
	return nil, s.skip()
}

// iq is an info/query stanza with the payloads that we know (RFC 6120, 8.2.3).
type iq struct {
	XMLName xml.Name     `xml:"jabber:client iq"`
	Type    string       `xml:"type,attr"`
	ID      string       `xml:"id,attr"`
	From    string       `xml:"from,attr"`
	Error   *stanzaError `xml:"jabber:client error"`
	Ping    *struct{}    `xml:"urn:xmpp:ping ping"`
	Version *struct{}    `xml:"jabber:iq:version query"`
	Disco   *struct {
		Node       string `xml:"node,attr"`
		Identities []struct {
			Category string `xml:"category,attr"`
			Type     string `xml:"type,attr"`
		} `xml:"http://jabber.org/protocol/disco#info identity"`
		Features []struct {
			Var string `xml:"var,attr"`
		} `xml:"http://jabber.org/protocol/disco#info feature"`
	} `xml:"http://jabber.org/protocol/disco#info query"`
	Items *struct {
		List []discoItem `xml:"http://jabber.org/protocol/disco#items item"`
	} `xml:"http://jabber.org/protocol/disco#items query"`
	Streams *struct {
		Hosts []streamHost `xml:"http://jabber.org/protocol/bytestreams streamhost"`
	} `xml:"http://jabber.org/protocol/bytestreams query"`
	Services *struct {
		List []externalService `xml:"urn:xmpp:extdisco:2 service"`
	} `xml:"urn:xmpp:extdisco:2 services"`
	Knock *struct {
		Tag string `xml:"tag,attr"`
	} `xml:"urn:x-git-remote-xmpp:1 knock"`
}

// presence is a presence stanza, as far as we look at it (RFC 6121, 4).
type presence struct {
	XMLName xml.Name `xml:"jabber:client presence"`
	Type    string   `xml:"type,attr"`
	From    string   `xml:"from,attr"`

	Error  *stanzaError `xml:"jabber:client error"`
	Status []struct {
		Code string `xml:"code,attr"`
	} `xml:"http://jabber.org/protocol/muc#user x>status"`
}

// isOwn tells whether it is our own presence in a room.
func (p *presence) isOwn() bool {
	for _, s := range p.Status {
		if s.Code == selfPresence {
			return true
		}
	}
	return false
}

// stanzaError is the error of a stanza (RFC 6120, 8.3).
type stanzaError struct {
	Type     string `xml:"type,attr"`
	Children []struct {
		XMLName xml.Name
		Text    string `xml:",chardata"`
	} `xml:",any"`
}

// Error is the same as String.
func (e *stanzaError) Error() string { return e.String() }

// condition is the defined condition, such as "service-unavailable".
func (e *stanzaError) condition() string {
	if e != nil {
		for _, c := range e.Children {
			if c.XMLName.Space == nsStanzas && c.XMLName.Local != "text" {
				return c.XMLName.Local
			}
		}
	}
	return "undefined-condition"
}

// notAcceptable is how our own server sends back what is for somebody whom our account has blocked (XEP-0191, 3.3; XEP-0016, 2.13).
const notAcceptable = "not-acceptable"

// String is the condition with the text that came with it.
func (e *stanzaError) String() string {
	text := e.condition()
	if text == notAcceptable {
		text = "blocked by our own account"
	}
	if e != nil {
		for _, c := range e.Children {
			if c.XMLName.Space == nsStanzas && c.XMLName.Local == "text" && clean(c.Text) != "" {
				text += " (" + clean(c.Text) + ")"
			}
		}
	}
	return clean(text)
}

func attr(start xml.StartElement, name string) string {
	for _, a := range start.Attr {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// marshalIQ makes an IQ stanza with a payload that is XML already.
func marshalIQ(kind, id, to, payload string) []byte {
	b := append([]byte("<iq type='"), kind...)
	b = append(b, "' id='"...)
	b = append(b, escape(id)...)
	if to != "" {
		b = append(b, "' to='"...)
		b = append(b, escape(to)...)
	}
	b = append(b, "'>"...)
	b = append(b, payload...)
	return append(b, "</iq>"...)
}

// errorPayload is the payload of an IQ error.
func errorPayload(kind, condition string) string {
	return fmt.Sprintf("<error type='%s'><%s xmlns='%s'/></error>", kind, condition, nsStanzas)
}

// unavailable is the error that a server gives in the name of nobody (RFC 6120, 8.3.3.19).
var unavailable = errorPayload("cancel", "service-unavailable")

// decodeTag reads the tag of a knock: none, or base64 of 16 bytes.
func decodeTag(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	tag, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(tag) != knockTagBytes {
		return nil, errors.New("malformed tag")
	}
	return tag, nil
}

const knockTagBytes = 16

func knockPayload(tag []byte) string {
	if len(tag) == 0 {
		return "<knock xmlns='" + NS + "'/>"
	}
	return "<knock xmlns='" + NS + "' tag='" + base64.StdEncoding.EncodeToString(tag) + "'/>"
}

func presenceStanza(to, kind, content string) []byte {
	b := []byte("<presence")
	if to != "" {
		b = append(b, " to='"+escape(to)+"'"...)
	}
	if kind != "" {
		b = append(b, " type='"+kind+"'"...)
	}
	return append(b, ">"+content+"</presence>"...)
}

// priority is that of our presences: negative, so that nobody's chat comes our way (RFC 6121, 4.7.2.3).
const priority = -1

func presenceContent(status, caps string) string {
	return "<priority>" + strconv.Itoa(priority) + "</priority><status>" + escape(status) + "</status>" + caps
}
