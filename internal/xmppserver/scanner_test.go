package xmppserver

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"mellium.im/xmpp/stream"
)

func scanString(in string) *scanner {
	return newScanner(bufio.NewReaderSize(strings.NewReader(in), 16), 1024)
}

var accepted = []string{
	"<message/>",
	"<iq\n/>",
	"<presence xmlns=\"jabber:client\"></presence >",
	"<message to='a'\tfrom=\"b\"\r\ntype = 'chat' id='>' />",
	"<message>a]]<x>&lt;&#65;&#x41;&quot;&apos;&gt;&amp;</x>é\U0001F600</message>",
	"<message><![CDATA[]]><![CDATA[<a>&b;]] >]]]]></message>",
	"<message><p:a xmlns:p='urn:p'><p:b p:c='1' c='2'/></p:a><a xmlns='urn:a' xml:lang='de'/></message>",
	"<message><a xmlns:p='urn:1'><b xmlns:p='urn:2' p:x=''/></a></message>",
}

var refused = []struct {
	in  string
	err error
}{
	{"<message><a xmlns:p='urn:p'/><p:b/></message>", stream.BadNamespacePrefix},
	{"<message p:a='1'/>", stream.BadNamespacePrefix},
	{"<message><stream:error/></message>", stream.BadNamespacePrefix},
	{"<message xmlns:stream='urn:s'/>", stream.BadNamespacePrefix},
	{"<message xmlns:xmlns='urn:s'/>", stream.BadNamespacePrefix},
	{"<message><error xmlns='http://etherx.jabber.org/streams'/></message>", stream.RestrictedXML},
	{"<message xmlns='urn:x'/>", stream.InvalidNamespace},
	{"<x:message xmlns:x='jabber:client'/>", stream.BadNamespacePrefix},
	{"<stream:error/>", stream.BadNamespacePrefix},
	{"<message xmlns:p=''/>", stream.NotWellFormed},
	{"<message xmlns:a='urn:p' xmlns:b='urn:p' a:x='' b:x=''/>", stream.NotWellFormed},
	{"<message xmlns:a='urn:p' xmlns:b='urn:&#112;' a:x='' b:x=''/>", stream.RestrictedXML},
	{"<message a='1' a='2'/>", stream.NotWellFormed},
	{"<message xml:lang='a' xml:lang='b'/>", stream.NotWellFormed},
	{"<message a='1'b='2'/>", stream.NotWellFormed},
	{"<message a=1/>", stream.NotWellFormed},
	{"<message a/>", stream.NotWellFormed},
	{"<message a='<'/>", stream.NotWellFormed},
	{"<message / >", stream.NotWellFormed},
	{"< message/>", stream.NotWellFormed},
	{"<message></ message>", stream.NotWellFormed},
	{"<message><a></message></a>", stream.NotWellFormed},
	{"<message><:a/></message>", stream.NotWellFormed},
	{"<message><a:/></message>", stream.NotWellFormed},
	{"<message><1/></message>", stream.NotWellFormed},
	{"<message><é/></message>", stream.NotWellFormed},
	{"<message>]]></message>", stream.NotWellFormed},
	{"<message>&#0;</message>", stream.NotWellFormed},
	{"<message>&#xD800;</message>", stream.NotWellFormed},
	{"<message>&#xFFFE;</message>", stream.NotWellFormed},
	{"<message>&#x110000;</message>", stream.NotWellFormed},
	{"<message>&#+65;</message>", stream.NotWellFormed},
	{"<message>& amp;</message>", stream.RestrictedXML},
	{"<message>&amp</message>", stream.NotWellFormed},
	{"<message>\x01</message>", stream.NotWellFormed},
	{"<message>\xff</message>", stream.NotWellFormed},
	{"<message>\xed\xa0\x80</message>", stream.NotWellFormed},
	{"<message>\xef\xbf\xbe</message>", stream.NotWellFormed},
	{"<message><![CDATA[\x00]]></message>", stream.NotWellFormed},
	{"<![CDATA[ ]]>", stream.RestrictedXML},
	{"</message>", stream.NotWellFormed},
	{"<message>" + strings.Repeat("<a>", maxDepth), stream.PolicyViolation},
	{"<message>" + strings.Repeat("x", 1024), stream.PolicyViolation},
	{"<message><a", io.ErrUnexpectedEOF},
	{"<message><![CDATA[", io.ErrUnexpectedEOF},
	{"<message><![CDA", io.ErrUnexpectedEOF},
	{"<message><", io.ErrUnexpectedEOF},
	{" ", io.ErrUnexpectedEOF},
	{" </stream:stream >", io.EOF},
}

func TestScannerAccepts(t *testing.T) {
	in := strings.Join(accepted, " \r\n\t")
	for name, r := range map[string]io.Reader{
		"at once":      strings.NewReader(in),
		"byte by byte": iotest.OneByteReader(strings.NewReader(in)),
	} {
		s := newScanner(bufio.NewReaderSize(r, 16), 1024)
		for _, want := range accepted {
			st, err := s.next()
			if err != nil {
				t.Fatalf("%s: %s: %v", name, want, err)
			}
			if string(st.raw) != want {
				t.Errorf("%s: got %s, want %s", name, st.raw, want)
			}
		}
	}
}

func TestScannerRefuses(t *testing.T) {
	for _, c := range refused {
		if st, err := scanString(c.in).next(); !errors.Is(err, c.err) {
			t.Errorf("%.80q: got %v, %v, want %v", c.in, st, err, c.err)
		}
	}
}

func TestScannerAttributeLimits(t *testing.T) {
	attributes := func(n int, prefix string) string {
		var b strings.Builder
		b.WriteString("<message")
		for i := range n {
			b.WriteString(" " + prefix + strings.Repeat("a", i+1) + "='u'")
		}
		return b.String() + "/>"
	}
	for in, ok := range map[string]bool{
		attributes(maxAttributes, ""):       true,
		attributes(maxAttributes+1, ""):     false,
		attributes(maxPrefixes, "xmlns:"):   true,
		attributes(maxPrefixes+1, "xmlns:"): false,
	} {
		s := newScanner(bufio.NewReader(strings.NewReader(in)), 1<<20)
		if _, err := s.next(); (err == nil) != ok {
			t.Errorf("%.80s: %v", in, err)
		}
	}
}

// FuzzScanner checks that what the scanner lets pass is one element for
// encoding/xml too, inside the recipient's stream and with the stamp on it.
func FuzzScanner(f *testing.F) {
	for _, in := range accepted {
		f.Add([]byte(in))
	}
	for _, c := range refused {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s := newScanner(bufio.NewReaderSize(bytes.NewReader(in), 16), 4096)
		for {
			st, err := s.next()
			if err != nil {
				return
			}
			if len(st.raw) > 4096 {
				t.Fatalf("%d bytes", len(st.raw))
			}
			pieces := st.stamped([]byte(" from='me'"))
			checkStanza(t, bytes.Join(pieces[:], nil))
		}
	})
}

func checkStanza(t *testing.T, raw []byte) {
	t.Helper()
	d := xml.NewDecoder(io.MultiReader(strings.NewReader(header), bytes.NewReader(raw), strings.NewReader("</stream:stream>")))
	depth, elements := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 1 {
				elements++
				checkStamp(t, raw, token)
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 1 {
				t.Fatalf("%q: text between stanzas", raw)
			}
		case xml.Comment, xml.Directive:
			t.Fatalf("%q: %T", raw, token)
		}
	}
	if elements != 1 {
		t.Fatalf("%q: %d elements", raw, elements)
	}
}

func checkStamp(t *testing.T, raw []byte, start xml.StartElement) {
	t.Helper()
	if start.Name.Space != "jabber:client" {
		t.Fatalf("%q: namespace %s", raw, start.Name.Space)
	}
	stamps := 0
	for _, a := range start.Attr {
		if a.Name == (xml.Name{Local: "from"}) {
			stamps++
			if a.Value != "me" {
				t.Fatalf("%q: from %s", raw, a.Value)
			}
		}
	}
	if stamps != 1 {
		t.Fatalf("%q: %d stamps", raw, stamps)
	}
}
