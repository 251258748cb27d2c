package xmppserver

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"mellium.im/xmpp/stream"
)

// scanner cuts a client's stream into stanzas without decoding them.
//
// What it lets pass is copied into other clients' streams, so it is stricter
// than XML asks: a stanza that it accepts is namespace-well-formed on its own
// between tags of a stream whose default namespace is jabber:client, whatever
// parser reads it there. It holds one stanza of at most maxBytes at a time.
//
// Its errors are stream.Error for what a client did wrong, io.EOF for the end
// tag of the stream, and otherwise what the connection said.
type scanner struct {
	br       *bufio.Reader
	maxBytes int
	buf      []byte    // the stanza so far
	open     []span    // the names of the open elements
	bound    []binding // the namespace prefixes in scope
	attrs    []attribute
	st       rawStanza
}

// span is a part of the stanza: [start, end).
type span struct{ start, end int }

func newScanner(br *bufio.Reader, maxBytes int) *scanner {
	return &scanner{br: br, maxBytes: maxBytes}
}

func (s *scanner) bytes(p span) []byte { return s.buf[p.start:p.end] }

// next returns the next stanza; it is valid until the following call.
func (s *scanner) next() (*rawStanza, error) {
	if cap(s.buf) > maxKeptStanzaBytes {
		s.buf = nil
	}
	s.buf, s.open, s.bound, s.st = s.buf[:0], s.open[:0], s.bound[:0], rawStanza{}
	if err := s.skipSpace(); err != nil {
		return nil, err
	}
	for {
		if err := s.markup(); err != nil {
			return nil, err
		}
		if len(s.open) == 0 {
			s.st.raw = s.buf
			return &s.st, nil
		}
		if err := s.text(); err != nil {
			return nil, err
		}
	}
}

// skipSpace reads up to and including the '<' of the next stanza. White space
// in between is a client's keep-alive.
func (s *scanner) skipSpace() error {
	for {
		b, err := s.br.ReadByte()
		switch {
		case err != nil:
			return unexpected(err)
		case b == '<':
			s.buf = append(s.buf, b)
			return nil
		case !isSpace(b):
			return stream.BadFormat
		}
	}
}

// unexpected tells an end of the connection from that of the stream.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// fill reads up to and including delim into the buffer.
func (s *scanner) fill(delim byte) error {
	for {
		part, err := s.br.ReadSlice(delim)
		if len(s.buf)+len(part) > s.maxBytes {
			return stream.PolicyViolation
		}
		s.buf = append(s.buf, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return unexpected(err)
		}
	}
}

// text reads character data up to and including the next '<'.
func (s *scanner) text() error {
	start := len(s.buf)
	if err := s.fill('<'); err != nil {
		return err
	}
	return checkText(s.buf[start:len(s.buf)-1], contentText)
}

// markup reads what begins with the '<' that the buffer ends with.
func (s *scanner) markup() error {
	start := len(s.buf) - 1
	kind, err := s.br.Peek(1)
	switch {
	case err != nil:
		return unexpected(err)
	case kind[0] == '?':
		return stream.RestrictedXML
	case kind[0] == '!':
		return s.cdata()
	}
	if err := s.fillTag(); err != nil {
		return err
	}
	if kind := s.buf[start+1]; kind == '/' {
		return s.endTag(start)
	}
	return s.startTag(start)
}

// cdata reads a CDATA section, and refuses comments and DTDs.
func (s *scanner) cdata() error {
	for _, want := range []byte("![CDATA[") {
		b, err := s.br.ReadByte()
		if err != nil {
			return unexpected(err)
		}
		if b != want || len(s.open) == 0 {
			return stream.RestrictedXML
		}
		s.buf = append(s.buf, b)
	}
	start := len(s.buf)
	for !bytes.HasSuffix(s.buf[start:], []byte("]]>")) {
		if err := s.fill('>'); err != nil {
			return err
		}
	}
	return checkText(s.buf[start:len(s.buf)-len("]]>")], cdataText)
}

// fillTag reads up to the '>' that ends a tag, which is one outside quotes.
func (s *scanner) fillTag() error {
	var quote byte
	for {
		start := len(s.buf)
		if err := s.fill('>'); err != nil {
			return err
		}
		for _, b := range s.buf[start:] {
			switch {
			case quote == 0 && (b == '\'' || b == '"'):
				quote = b
			case b == quote:
				quote = 0
			}
		}
		if quote == 0 {
			return nil
		}
	}
}

// endTag closes the innermost element. At the top it is the end of the stream.
func (s *scanner) endTag(start int) error {
	name := bytes.TrimRight(s.buf[start+len("</"):len(s.buf)-len(">")], " \t\r\n")
	if len(s.open) == 0 {
		if string(name) == "stream:stream" {
			return io.EOF
		}
		return stream.NotWellFormed
	}
	if !bytes.Equal(name, s.bytes(s.open[len(s.open)-1])) {
		return stream.NotWellFormed
	}
	s.closeElement()
	return nil
}

func (s *scanner) closeElement() {
	depth := len(s.open)
	for len(s.bound) > 0 && s.bound[len(s.bound)-1].depth == depth {
		s.bound = s.bound[:len(s.bound)-1]
	}
	s.open = s.open[:depth-1]
}
