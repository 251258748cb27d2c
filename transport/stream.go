package transport

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"gosrc.io/xmpp/stanza"
	"mellium.im/xmpp/jid"
)

const (
	// maxStanzaBytes is the most that one stanza from the server may have; the usual limit of servers for what
	// they take is 262,144.
	maxStanzaBytes = 512 << 10
	readBufBytes   = 32 << 10
	nsStreams      = "urn:ietf:params:xml:ns:xmpp-streams"
	nsStanzas      = "urn:ietf:params:xml:ns:xmpp-stanzas"
)

var (
	errStreamEnd     = errors.New("the server closed the stream")
	errRestrictedXML = errors.New("the server sent xml that xmpp doesn't allow")
	errStanzaSize    = fmt.Errorf("the server sent a stanza of over %d bytes", maxStanzaBytes)
)

// A byteReader feeds the XML decoder and stops it at the size limit of a stanza. The decoder takes one byte after the other from
// it and holds none back, so that between two tokens text can be read past the decoder, which is slow at it.
type byteReader struct {
	*bufio.Reader
	left       int
	last, prev byte // the last two bytes that the decoder took
}

// ReadByte is for the decoder.
func (r *byteReader) ReadByte() (byte, error) {
	if r.left <= 0 {
		return 0, errStanzaSize
	}
	b, err := r.Reader.ReadByte()
	if err == nil {
		r.left--
		r.prev, r.last = r.last, b
	}
	return b, err
}

// afterEmptyTag tells whether the decoder has just taken a tag like <p/>, which has no text.
func (r *byteReader) afterEmptyTag() bool { return r.prev == '/' && r.last == '>' }

// text returns what comes before the next tag, and leaves the tag. It is nil if that is longer than max bytes, or the buffer;
// some of it may have been taken then. The result is valid until the next read.
func (r *byteReader) text(max int) ([]byte, error) {
	text, err := r.ReadSlice('<')
	r.left -= len(text)
	switch {
	case r.left < 0:
		return nil, errStanzaSize
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, nil
	case err != nil:
		return nil, err
	}
	r.left++
	if err := r.UnreadByte(); err != nil {
		return nil, err
	}
	if len(text) > max+1 {
		return nil, nil
	}
	return text[:len(text)-1], nil
}

// A stream is the XML stream of a connection (RFC 6120, 4), read by one goroutine.
type stream struct {
	conn  net.Conn
	in    *byteReader
	dec   *xml.Decoder
	plain bool   // see isPlain
	from  string // whom the last message with packets was from
}

// openStream sends a stream header and what is to follow it, and reads the server's header with its features. What follows is what will be asked for
// whatever the features are, and needn't wait for them (XEP-0305).
func openStream(conn net.Conn, account jid.JID, secure bool, follows string) (*stream, *features, error) {
	s := &stream{conn: conn, in: &byteReader{Reader: bufio.NewReaderSize(conn, readBufBytes)}}
	s.dec = xml.NewDecoder(s.in)
	from := ""
	if secure { // before TLS nobody needs to know who we are (RFC 6120, 4.7.1)
		from = " from='" + escape(account.String()) + "'"
	}
	_, err := fmt.Fprintf(conn, "<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' to='%s'%s version='1.0' xml:lang='en'>%s",
		stanza.NSClient, stanza.NSStream, escape(account.Domainpart()), from, follows)
	if err != nil {
		return nil, nil, err
	}
	root, err := s.next()
	if err != nil {
		return nil, nil, err
	}
	if root.Name != (xml.Name{Space: stanza.NSStream, Local: "stream"}) {
		return nil, nil, fmt.Errorf("not an xmpp server: it answers with <%s>", clean(root.Name.Local))
	}
	s.plain = isPlain(root)
	f, err := s.features()
	return s, f, err
}

// features reads what the server offers.
func (s *stream) features() (*features, error) {
	start, err := s.next()
	if err != nil {
		return nil, err
	}
	f := &features{}
	return f, s.decode(f, start)
}

// next returns the start of the next stanza. The end of the stream is errStreamEnd,
// a stream error a *streamError.
func (s *stream) next() (xml.StartElement, error) {
	s.in.left = maxStanzaBytes
	for {
		token, err := s.dec.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name == (xml.Name{Space: stanza.NSStream, Local: "error"}) {
				return token, s.readStreamError(token)
			}
			return token, nil
		case xml.EndElement:
			return xml.StartElement{}, errStreamEnd
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return xml.StartElement{}, errRestrictedXML
			}
			s.in.left = maxStanzaBytes
		case xml.ProcInst:
			if token.Target != "xml" {
				return xml.StartElement{}, errRestrictedXML
			}
		default:
			return xml.StartElement{}, errRestrictedXML
		}
	}
}

// decode reads the element that begins with start into v. A name other than the
// one that v is tagged with is an error.
func (s *stream) decode(v any, start xml.StartElement) error {
	return s.dec.DecodeElement(v, &start)
}

// skip leaves out the rest of an element whose start was read.
func (s *stream) skip() error { return s.dec.Skip() }

// features is what a server offers at a point of the negotiation.
type features struct {
	XMLName    xml.Name            `xml:"http://etherx.jabber.org/streams features"`
	StartTLS   *stanza.TlsStartTLS `xml:"urn:ietf:params:xml:ns:xmpp-tls starttls"`
	Mechanisms []string            `xml:"urn:ietf:params:xml:ns:xmpp-sasl mechanisms>mechanism"`
	SASL2      *sasl2Offer         `xml:"urn:xmpp:sasl:2 authentication"`
	Bind       *stanza.Bind        `xml:"urn:ietf:params:xml:ns:xmpp-bind bind"`
	Bindings   []struct {
		Type string `xml:"type,attr"`
	} `xml:"urn:xmpp:sasl-cb:0 sasl-channel-binding>channel-binding"` // XEP-0440
	Limits *struct {
		MaxBytes int `xml:"max-bytes"`
	} `xml:"urn:xmpp:stream-limits:0 limits"` // XEP-0478
}

// String is what there is of mechanisms, and of channel bindings if the server says it.
func (f *features) String() string {
	text := strings.Join(f.Mechanisms, " ")
	for i, b := range f.Bindings {
		if i == 0 {
			text += ", channel binding by"
		}
		text += " " + b.Type
	}
	return clean(text)
}

// escape makes a string safe as the content of an XML attribute or element.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder doesn't fail
	return b.String()
}

// clean makes text of somebody else safe for a line on a terminal.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > 256 {
		s = strings.ToValidUTF8(s[:256], "")
	}
	return strings.TrimSpace(s)
}

var _ io.ByteReader = (*byteReader)(nil)
