package transport

import (
	"gosrc.io/xmpp/stanza"
	"mellium.im/xmpp/jid"
)

// read is the only reader of a link: it hands everything on in order.
func (s *session) read(l *link) error {
	payloads := &payloadBuffer{}
	for {
		start, err := l.next()
		if err != nil {
			return err
		}
		s.heard.now()
		if start.Name.Space != stanza.NSClient {
			err = l.skip()
		} else {
			switch start.Name.Local {
			case "message":
				err = s.readMessage(l, start, payloads)
			case "iq":
				err = s.readIQ(l, start)
			case "presence":
				err = s.readPresence(l, start)
			default:
				err = l.skip()
			}
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) readMessage(l *link, start xmlStart, buf *payloadBuffer) error {
	m, err := l.readMessage(start, buf)
	switch {
	case err != nil:
		return err
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
	return nil
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
