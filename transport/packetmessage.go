package transport

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"

	"git-remote-xmpp/chunk"
	"gosrc.io/xmpp/stanza"
)

// Nearly all that comes in a transfer are messages that look alike: servers pass on what a peer of ours has written, and put in attributes. Such a
// message is read as it lies in the buffer, without a copy of each of its parts. It isn't another way to understand XML: whatever isn't written
// byte for byte like that is left to the decoder, which reads the same of what is.

// packetMessage reads a message if it looks like that. Otherwise it has read nothing. It waits as the decoder would.
func (s *stream) packetMessage(buf *payloadBuffer) (m message, ok bool) {
	if !s.plain {
		return m, false
	}
	for known := 0; ; {
		if _, err := s.in.Peek(known + 1); err != nil {
			return m, false // the decoder finds the same, or that it is too long for the buffer
		}
		known = s.in.Buffered()
		text, _ := s.in.Peek(known) // they are there
		scan := packetScanner{rest: text}
		var from []byte
		if m.payloads, from, ok = scan.message(buf.list[:0]); ok {
			ok = decodeAll(m.payloads, buf)
		} else if scan.short {
			continue
		}
		if ok {
			if s.from != string(from) {
				s.from = string(from)
			}
			m.from, m.kind = s.from, string(stanza.MessageTypeHeadline)
			_, _ = s.in.Discard(len(text) - len(scan.rest)) // they are there
		}
		return m, ok
	}
}

// decodeAll undoes base64. It is false for what isn't a payload's.
func decodeAll(payloads [][]byte, buf *payloadBuffer) bool {
	for i, text := range payloads {
		if len(text) > base64.StdEncoding.EncodedLen(chunk.MaxPayloadBytes) {
			return false
		}
		n, err := base64.StdEncoding.Decode(buf.bytes[i][:], text)
		if err != nil || n == 0 {
			return false
		}
		payloads[i] = buf.bytes[i][:n]
	}
	return true
}

// A packetScanner compares what is in a buffer with what such a message is.
type packetScanner struct {
	rest  []byte // what comes next
	short bool   // it may be one, but isn't all there
}

// message goes past a message, and puts the texts of its payloads into the list.
func (p *packetScanner) message(list [][]byte) (payloads [][]byte, from []byte, ok bool) {
	headline := false
	if !p.literal("<message") {
		return nil, nil, false
	}
	for !p.literal(">") {
		var value []byte
		switch {
		case p.literal(" type='headline'"):
			headline = true
			continue
		case from == nil && p.literal(" from='"): // the decoder's user takes the first of two
			value, ok = p.value()
			from = value
		case p.literal(" to='"), p.literal(" xml:lang='"):
			_, ok = p.value()
		default:
			return nil, nil, false
		}
		if !ok {
			return nil, nil, false
		}
	}
	for len(list) < cap(list) && p.literal(payloadOpen) {
		text, ok := p.until('<')
		if !ok || !p.literal(payloadClose) {
			return nil, nil, false
		}
		list = append(list, text)
	}
	return list, from, p.literal(messageClose) && headline && from != nil
}

// literal goes past a text, if it comes next.
func (p *packetScanner) literal(text string) bool {
	if len(p.rest) < len(text) {
		p.short = p.short || string(p.rest) == text[:len(p.rest)]
		return false
	}
	if string(p.rest[:len(text)]) != text {
		return false
	}
	p.rest = p.rest[len(text):]
	return true
}

// value goes past the value of an attribute and its quote. One that needs a decoder isn't taken.
func (p *packetScanner) value() ([]byte, bool) {
	for i, c := range p.rest {
		switch {
		case c == '\'':
			value := p.rest[:i]
			p.rest = p.rest[i+1:]
			return value, true
		case c < ' ' || c > '~' || c == '&' || c == '<':
			return nil, false
		}
	}
	p.short = true
	return nil, false
}

// until goes to a byte, but not past it.
func (p *packetScanner) until(end byte) ([]byte, bool) {
	i := bytes.IndexByte(p.rest, end)
	if i < 0 {
		p.short = true
		return nil, false
	}
	text := p.rest[:i]
	p.rest = p.rest[i:]
	return text, true
}

// isPlain tells whether an element in root that has neither a prefix nor a namespace of its own is a client's: its last word counts, as it does to the decoder.
func isPlain(root xml.StartElement) (plain bool) {
	for _, a := range root.Attr {
		if a.Name == (xml.Name{Local: "xmlns"}) {
			plain = a.Value == stanza.NSClient
		}
	}
	return plain
}
