package xmppserver

import (
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// route delivers or answers one stanza (RFC 6120 §10, RFC 6121 §8). An error
// ends the sender's stream.
func (c *client) route(st *rawStanza) error {
	target, err := c.target(st)
	if err != nil {
		return c.refuse(st, stanza.Modify, stanza.JIDMalformed)
	}
	foreign := target.Domainpart() != c.jid.Domainpart()
	switch {
	case st.kind == presenceStanza:
		return c.presence(st, target)
	case foreign && st.isType("headline"):
		return nil
	case foreign:
		return c.refuse(st, stanza.Cancel, stanza.RemoteServerNotFound)
	case st.kind == iqStanza:
		return c.iq(st, target)
	default:
		return c.message(st, target)
	}
}

// target is where st goes: the sender's own account, if it doesn't say.
func (c *client) target(st *rawStanza) (jid.JID, error) {
	to := st.raw[st.to.start:st.to.end]
	switch {
	case !st.has(st.to):
		return c.jid.Bare(), nil
	case string(to) == c.lastTo:
		return c.lastTarget, nil
	}
	j, err := jid.Parse(unescape(to))
	if err != nil {
		return jid.JID{}, err
	}
	c.lastTo, c.lastTarget = string(to), j
	return j, nil
}

func (c *client) message(st *rawStanza, to jid.JID) error {
	if to.Resourcepart() == "" {
		return c.messageToAccount(st, to)
	}
	if target := c.server.find(to); target != nil {
		if ok, err := c.deliver(st, target); ok || err != nil {
			return err
		}
	}
	return c.messageToNobody(st)
}

// messageToAccount delivers to every resource that shows itself with a priority
// of 0 or more (RFC 6121 §8.5.2).
func (c *client) messageToAccount(st *rawStanza, to jid.JID) error {
	delivered := false
	if !st.isType("groupchat") && !st.isType("error") {
		for _, target := range c.server.willing(to.Localpart()) {
			ok, err := c.deliver(st, target)
			if err != nil {
				return err
			}
			delivered = delivered || ok
		}
	}
	if delivered {
		return nil
	}
	return c.messageToNobody(st)
}

func (c *client) messageToNobody(st *rawStanza) error {
	if st.isType("headline") {
		return nil
	}
	return c.undeliverable(st)
}

func (c *client) iq(st *rawStanza, to jid.JID) error {
	own := to.Equal(c.jid.Bare())
	switch {
	case !st.has(st.id) || !validIQType(st.value(st.typ)):
		return c.refuse(st, stanza.Modify, stanza.BadRequest)
	case own || to.Equal(c.server.accounts.domain):
		return c.serve(st, own)
	}
	if target := c.server.find(to); target != nil {
		if ok, err := c.deliver(st, target); ok || err != nil {
			return err
		}
	}
	return c.undeliverable(st)
}

func validIQType(typ string) bool {
	switch typ {
	case "get", "set", "result", "error":
		return true
	}
	return false
}
