package xmppserver

import (
	"bytes"
	"encoding/xml"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

type stanzaKind int

const (
	messageStanza stanzaKind = iota
	presenceStanza
	iqStanza
)

func (k stanzaKind) String() string {
	return [...]string{"message", "presence", "iq"}[k]
}

// rawStanza is one as it came from a client, pointing into the scanner's
// buffer. A span of zero stands for an attribute that isn't there.
type rawStanza struct {
	kind        stanzaKind
	raw         []byte
	nameEnd     int  // where the name of the start tag ends
	from        span // the whole attribute, with the space before it
	to, typ, id span // values, not unescaped
}

func (st *rawStanza) value(p span) string { return unescape(st.raw[p.start:p.end]) }

func (st *rawStanza) has(p span) bool { return p.end > 0 }

// isType compares the attribute 'type'.
func (st *rawStanza) isType(typ string) bool { return st.value(st.typ) == typ }

// stamped is the stanza in pieces, with attributes (each with a space in front)
// in the place of the sender's own 'from'.
func (st *rawStanza) stamped(attributes []byte) [4][]byte {
	cut := st.from
	if !st.has(cut) {
		cut = span{st.nameEnd, st.nameEnd}
	}
	return [4][]byte{st.raw[:st.nameEnd], attributes, st.raw[st.nameEnd:cut.start], st.raw[cut.end:]}
}

// decode decodes the stanza into v with encoding/xml: for the few that are for
// the server itself.
func (st *rawStanza) decode(v any) error {
	d := xml.NewDecoder(bytes.NewReader(st.raw))
	d.DefaultSpace = stanza.NSClient
	return d.Decode(v)
}

// attributeOf is ` name='value'`, escaped.
func attributeOf(name string, j jid.JID) []byte {
	var out bytes.Buffer
	out.WriteString(" " + name + "='")
	// A bytes.Buffer doesn't fail.
	_ = xml.EscapeText(&out, []byte(j.String()))
	out.WriteString("'")
	return out.Bytes()
}

// reply is a stanza from the server itself.
type reply struct {
	XMLName xml.Name
	Type    string        `xml:"type,attr,omitempty"`
	ID      string        `xml:"id,attr,omitempty"`
	From    string        `xml:"from,attr,omitempty"`
	To      string        `xml:"to,attr,omitempty"`
	Payload any           `xml:",omitempty"`
	Error   *stanza.Error `xml:",omitempty"`
}

// replyTo addresses a reply to st back to its sender.
func replyTo(st *rawStanza, typ string, sender jid.JID) reply {
	return reply{
		XMLName: xml.Name{Local: st.kind.String()},
		Type:    typ,
		ID:      st.value(st.id),
		From:    st.value(st.to),
		To:      sender.String(),
	}
}
