package xmppserver

import (
	"bytes"

	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"
)

// attribute is one of a start tag.
type attribute struct {
	name  span
	value span
	whole span // with the white space before it
}

// binding is a namespace prefix declared by the element at depth.
type binding struct {
	depth  int
	prefix span
	uri    span
}

// startTag checks the start tag that the buffer ends with, and opens its
// element.
func (s *scanner) startTag(start int) error {
	n := nameEnd(s.buf[start+1:])
	if n == 0 {
		return stream.NotWellFormed
	}
	name := span{start + 1, start + 1 + n}
	empty, err := s.attributes(name.end)
	if err != nil {
		return err
	}
	if len(s.open) == maxDepth {
		return stream.PolicyViolation
	}
	s.open = append(s.open, name)
	if err := s.declare(); err != nil {
		return err
	}
	if err := s.checkNames(name); err != nil {
		return err
	}
	if len(s.open) == 1 {
		if err := s.top(name); err != nil {
			return err
		}
	}
	if empty {
		s.closeElement()
	}
	return nil
}

// attributes reads those of a start tag from offset i to the end of the buffer,
// and tells whether the tag is that of an empty element.
func (s *scanner) attributes(i int) (empty bool, err error) {
	s.attrs = s.attrs[:0]
	for {
		before := i
		i = s.space(i)
		switch rest := s.buf[i:]; {
		case string(rest) == ">":
			return false, nil
		case string(rest) == "/>":
			return true, nil
		case i == before:
			return false, stream.NotWellFormed
		}
		if len(s.attrs) == maxAttributes {
			return false, stream.PolicyViolation
		}
		a, err := s.attribute(i)
		if err != nil {
			return false, err
		}
		a.whole = span{before, a.value.end + 1}
		s.attrs = append(s.attrs, a)
		i = a.whole.end
	}
}

// attribute reads the one that begins at offset i.
func (s *scanner) attribute(i int) (attribute, error) {
	n := nameEnd(s.buf[i:])
	name := span{i, i + n}
	i = s.space(name.end)
	if n == 0 || s.buf[i] != '=' {
		return attribute{}, stream.NotWellFormed
	}
	i = s.space(i + 1)
	quote := s.buf[i]
	if quote != '\'' && quote != '"' {
		return attribute{}, stream.NotWellFormed
	}
	length := bytes.IndexByte(s.buf[i+1:], quote)
	if length < 0 {
		return attribute{}, stream.NotWellFormed
	}
	value := span{i + 1, i + 1 + length}
	return attribute{name: name, value: value}, checkText(s.bytes(value), attributeText)
}

// space is the offset of the first byte from i on that isn't white space. There
// is one: the tag ends with '>'.
func (s *scanner) space(i int) int {
	for isSpace(s.buf[i]) {
		i++
	}
	return i
}

// declare takes the namespace declarations of the innermost element into scope.
func (s *scanner) declare() error {
	for _, a := range s.attrs {
		prefix, local := s.split(a.name)
		name := string(s.bytes(a.name))
		if name != "xmlns" && string(s.bytes(prefix)) != "xmlns" {
			continue
		}
		uri := s.bytes(a.value)
		if !usableURI(uri) {
			return stream.RestrictedXML
		}
		if name == "xmlns" {
			continue
		}
		switch string(s.bytes(local)) {
		case "xml", "xmlns", "stream":
			return stream.BadNamespacePrefix
		}
		if len(uri) == 0 {
			return stream.NotWellFormed
		}
		if len(s.bound) == maxPrefixes {
			return stream.PolicyViolation
		}
		s.bound = append(s.bound, binding{depth: len(s.open), prefix: local, uri: a.value})
	}
	return nil
}

// usableURI refuses the namespaces that belong to XML and to streams, and
// spellings that two parsers could take for different namespaces.
func usableURI(uri []byte) bool {
	if bytes.ContainsAny(uri, "& \t\r\n") {
		return false
	}
	switch string(uri) {
	case stream.NS, "http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/":
		return false
	}
	return true
}

// split parts a qualified name; prefix is empty if it has none.
func (s *scanner) split(name span) (prefix, local span) {
	colon := bytes.IndexByte(s.bytes(name), ':')
	if colon < 0 {
		return span{name.start, name.start}, name
	}
	return span{name.start, name.start + colon}, span{name.start + colon + 1, name.end}
}

// lookup finds the namespace that a prefix is bound to inside this stanza.
// What the stream's start tag declares doesn't count: the recipient's stream
// declares other things.
func (s *scanner) lookup(prefix span) (uri []byte, ok bool) {
	for i := len(s.bound) - 1; i >= 0; i-- {
		if bytes.Equal(s.bytes(s.bound[i].prefix), s.bytes(prefix)) {
			return s.bytes(s.bound[i].uri), true
		}
	}
	return nil, false
}

// checkNames refuses prefixes that aren't bound, and attributes given twice
// (Namespaces in XML 1.0 §5, §6.3).
func (s *scanner) checkNames(name span) error {
	if prefix, _ := s.split(name); prefix.end > prefix.start {
		if _, ok := s.lookup(prefix); !ok {
			return stream.BadNamespacePrefix
		}
	}
	for i, a := range s.attrs {
		uri, err := s.attributeSpace(a)
		if err != nil {
			return err
		}
		_, local := s.split(a.name)
		for _, b := range s.attrs[:i] {
			_, other := s.split(b.name)
			if !bytes.Equal(s.bytes(local), s.bytes(other)) {
				continue
			}
			if otherURI, _ := s.attributeSpace(b); bytes.Equal(uri, otherURI) {
				return stream.NotWellFormed
			}
		}
	}
	return nil
}

// attributeSpace is the namespace of an attribute, empty for one without
// prefix. Those of XML itself are named by their prefixes, which nothing else
// can be bound to: "xml" and "xmlns" hold no colon.
func (s *scanner) attributeSpace(a attribute) ([]byte, error) {
	prefix, _ := s.split(a.name)
	switch p := s.bytes(prefix); string(p) {
	case "", "xml", "xmlns":
		return p, nil
	}
	uri, ok := s.lookup(prefix)
	if !ok {
		return nil, stream.BadNamespacePrefix
	}
	return uri, nil
}

// top checks that the outermost element is a stanza, and keeps what routing
// needs of its start tag.
func (s *scanner) top(name span) error {
	s.st.nameEnd = name.end
	switch string(s.bytes(name)) {
	case "message":
		s.st.kind = messageStanza
	case "presence":
		s.st.kind = presenceStanza
	case "iq":
		s.st.kind = iqStanza
	default:
		if prefix, _ := s.split(name); prefix.end > prefix.start {
			return stream.BadNamespacePrefix
		}
		return stream.UnsupportedStanzaType
	}
	for _, a := range s.attrs {
		switch string(s.bytes(a.name)) {
		case "xmlns":
			if string(s.bytes(a.value)) != stanza.NSClient {
				return stream.InvalidNamespace
			}
		case "from":
			s.st.from = a.whole
		case "to":
			s.st.to = a.value
		case "type":
			s.st.typ = a.value
		case "id":
			s.st.id = a.value
		}
	}
	return nil
}
