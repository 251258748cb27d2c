package transport

import (
	"gosrc.io/xmpp/stanza"
	"mellium.im/xmpp/jid"
)

// read is the only reader of a link: it hands everything on in order.
func (s *session) read(l *link) error {
	payloads := &payloadBuffer{}
	for {
		if err := s.readStanza(l, payloads); err != nil {
			return err
		}
	}
}

func (s *session) readStanza(l *link, buf *payloadBuffer) error {
	if m, ok := l.packetMessage(buf); ok {
		s.heard.now()
		s.take(m)
		return nil
	}
	start, err := l.next()
	if err != nil {
		return err
	}
	s.heard.now()
	if start.Name.Space != stanza.NSClient {
		return l.skip()
	}
	switch start.Name.Local {
	case "message":
		m, err := l.readMessage(start, buf)
		if err == nil {
			s.take(m)
		}
		return err
	case "iq":
		return s.readIQ(l, start)
	case "presence":
		return s.readPresence(l, start)
	}
	return l.skip()
}

func (s *session) take(m message) {
	switch {
	case m.other.Name.Local != "":
		s.noteOther(m)
	case m.kind == string(stanza.MessageTypeError):
		s.heardOf(m.from, reply{kind: m.kind, err: m.err})
		s.handler.undelivered(m.from, m.err)
	case m.kind == string(stanza.MessageTypeGroupchat):
		s.heardOf(m.from, reply{kind: m.kind})
	case m.kind == string(stanza.MessageTypeHeadline):
		for _, payload := range m.payloads {
			s.handler.packets(m.from, payload)
		}
	}
}

// noteOther notes what only our server may bring: anybody can send something that looks like it.
func (s *session) noteOther(m message) {
	if from, err := s.sender(m.from); err != nil || !from.Equal(s.cfg.Account) {
		return
	}
	if m.other.Name.Space == nsCarbons {
		s.copies.Add(1)
		return
	}
	id := attr(m.other, "id")
	s.archived.Store(&id)
}

func (s *session) readPresence(l *link, start xmlStart) error {
	var p presence
	if err := l.decode(&p, start); err != nil {
		return err
	}
	if p.Type == string(stanza.PresenceTypeError) || p.isOwn() {
		s.heardOf(p.From, reply{presence: true, kind: p.Type, err: p.Error})
	}
	if from, err := jid.Parse(p.From); err == nil && (p.Type == "" || p.Type == "unavailable") {
		s.handler.presence(from, p.Type == "")
	}
	return nil
}
