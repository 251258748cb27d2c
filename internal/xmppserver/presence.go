package xmppserver

import (
	"bytes"
	"fmt"
	"math"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"
)

// presence is a stanza that is sent to many: without 'to', and parted where it
// goes.
type presence struct {
	head, tail []byte
	priority   int // -128 to 127
}

// pieces is the presence as it goes to one client.
func (p *presence) pieces(to *client) [][]byte { return [][]byte{p.head, to.to, p.tail} }

// presenceOf is a bare one of c.
func presenceOf(c *client, typ string) *presence {
	return &presence{
		head: append([]byte("<presence"), c.from...),
		tail: fmt.Appendf(nil, " type='%s'/>", typ),
	}
}

// broadcastOf copies a presence without 'to' out of the reader's buffer.
func broadcastOf(c *client, st *rawStanza, priority int) *presence {
	pieces := st.stamped(c.from)
	return &presence{
		head:     bytes.Join(pieces[:2], nil),
		tail:     bytes.Join(pieces[2:], nil),
		priority: priority,
	}
}

// presence routes presence (RFC 6121 §4). Subscriptions are configured, so
// stanzas that are about them are dropped, and so are probes, which are for
// servers to send.
func (c *client) presence(st *rawStanza, to jid.JID) error {
	typ := st.value(st.typ)
	switch typ {
	case "", "unavailable", "error":
	case "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe":
		return nil
	default:
		return c.refuse(st, stanza.Modify, stanza.BadRequest)
	}
	if len(st.raw) > maxPresenceBytes {
		return c.refuse(st, stanza.Modify, stanza.PolicyViolation)
	}
	priority, err := priorityOf(st)
	if err != nil {
		return c.refuse(st, stanza.Modify, stanza.BadRequest)
	}
	switch {
	case st.has(st.to):
		return c.direct(st, to, typ)
	case typ == "error":
		return nil
	}
	return c.broadcast(broadcastOf(c, st, priority), typ == "")
}

// priorityOf is what the stanza says, 0 if it doesn't.
func priorityOf(st *rawStanza) (int, error) {
	var p struct {
		Priority []int `xml:"jabber:client priority"`
	}
	if err := st.decode(&p); err != nil {
		return 0, err
	}
	switch {
	case len(p.Priority) == 0:
		return 0, nil
	case len(p.Priority) > 1 || p.Priority[0] < math.MinInt8 || p.Priority[0] > math.MaxInt8:
		return 0, stream.BadFormat
	}
	return p.Priority[0], nil
}

// broadcast shows or hides the client.
func (c *client) broadcast(p *presence, available bool) error {
	c.waitFor(c.server.audience)
	c.server.sessions.mu.Lock()
	defer c.server.sessions.mu.Unlock()
	switch {
	case c.gone:
	case available:
		c.server.show(c, p)
	default:
		c.server.hide(c, p)
	}
	return nil
}

// waitFor waits until the queues of those who will get presence have room, as
// it must when it sends a message: with presence alone, nobody can be made to
// overflow.
func (c *client) waitFor(audience func(*client) []*client) {
	c.server.sessions.mu.RLock()
	targets := audience(c)
	c.server.sessions.mu.RUnlock()
	for _, target := range targets {
		// One that is gone needs no room.
		_ = target.out.push()
	}
}

// show makes p the presence of c. When c comes online it also gets the presence
// of all the others. The caller holds the lock.
func (s *Server) show(c *client, p *presence) {
	initial := c.shown == nil
	c.shown = p
	for _, other := range s.audience(c) {
		other.out.pushNow(p.pieces(other)...)
		if initial && other != c {
			c.out.pushNow(other.shown.pieces(c)...)
		}
	}
}

// hide tells everybody who saw c that it is unavailable, as p says. The caller
// holds the lock.
func (s *Server) hide(c *client, p *presence) {
	told := c.directed
	c.directed = make(map[*client]struct{})
	if c.shown != nil {
		for _, other := range s.audience(c) {
			told[other] = struct{}{}
		}
	}
	c.shown = nil
	for other := range told {
		other.out.pushNow(p.pieces(other)...)
	}
}

// direct sends presence to one client, or to those of one account that show
// themselves, and remembers who got it.
func (c *client) direct(st *rawStanza, to jid.JID, typ string) error {
	if to.Domainpart() != c.jid.Domainpart() || to.Localpart() == "" {
		return nil
	}
	targets := func(*client) []*client { return c.server.addressed(to) }
	c.waitFor(targets)
	c.server.sessions.mu.Lock()
	defer c.server.sessions.mu.Unlock()
	if c.gone {
		return nil
	}
	pieces := st.stamped(c.from)
	for _, target := range targets(c) {
		target.out.pushNow(pieces[:]...)
		switch typ {
		case "":
			c.directed[target] = struct{}{}
		case "unavailable":
			delete(c.directed, target)
		}
	}
	return nil
}

// addressed are the clients that presence to an address is for. The caller
// holds the lock.
func (s *Server) addressed(to jid.JID) []*client {
	if to.Resourcepart() == "" {
		return s.available(to.Localpart())
	}
	if c := s.sessions.online[to.Localpart()][to.Resourcepart()]; c != nil {
		return []*client{c}
	}
	return nil
}
