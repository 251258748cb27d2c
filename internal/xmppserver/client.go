package xmppserver

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"
)

// client is a session with a bound resource. Its reader routes what the client
// sends, in order; its outbox's writer sends what others push.
type client struct {
	server *Server
	raw    net.Conn
	conn   *streamConn
	out    *outbox

	jid  jid.JID // full
	from []byte  // the attributes ` from='…'` and ` to='…'` with it
	to   []byte

	// The reader's own.
	lastTo     string // an address as written, and what it was parsed to
	lastTarget jid.JID

	// Of the table of sessions, guarded by its lock.
	gone     bool
	shown    *presence            // nil: unavailable
	directed map[*client]struct{} // who got presence from us, wherever they stand
}

// longAgo is a deadline that ends what is being waited for.
var longAgo = time.Unix(1, 0)

func newClient(s *Server, raw net.Conn, conn *streamConn, full jid.JID) *client {
	return &client{
		server:   s,
		raw:      raw,
		conn:     conn,
		out:      newOutbox(conn, s.limits, &s.chunks),
		jid:      full,
		from:     attributeOf("from", full),
		to:       attributeOf("to", full),
		directed: make(map[*client]struct{}),
	}
}

// run serves the client until its stream ends for whatever reason, and returns
// when nothing of it is left running.
func (c *client) run() {
	written := make(chan bool, 1)
	go func() {
		all := c.out.drain()
		// With nothing more to be said, there's nothing more to be heard.
		_ = c.conn.SetReadDeadline(longAgo)
		written <- all
	}()
	err := c.read()
	c.server.leave(c)
	c.server.log.Info("client left", "jid", c.jid.String(), "reason", err)
	if condition, ok := streamError(err); ok {
		c.out.close(lastWords(condition))
	} else {
		c.out.close([]byte(streamEnd))
	}
	if all := <-written; all {
		c.conn.farewell(c.server.limits.linger)
	}
	// Not by TLS, whose farewell waits for a client that doesn't read.
	_ = c.raw.Close()
}

// read routes stanzas until the stream ends.
func (c *client) read() error {
	scan := newScanner(c.conn.br, c.server.maxStanzaBytes)
	for {
		st, err := scan.next()
		if err != nil {
			return err
		}
		if err := c.route(st); err != nil {
			return err
		}
	}
}

// kick ends the client's stream with an error, from any goroutine.
func (c *client) kick(condition stream.Error) {
	c.out.close(lastWords(condition))
	_ = c.conn.SetReadDeadline(longAgo)
}

// answer sends the client a stanza of the server's own.
func (c *client) answer(r reply) error {
	data, err := xml.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	return c.out.push(data)
}

// refuse answers st with an error, unless it is an answer or an error itself.
func (c *client) refuse(st *rawStanza, typ stanza.ErrorType, condition stanza.Condition) error {
	if st.isType("error") || st.kind == iqStanza && st.isType("result") {
		return nil
	}
	r := replyTo(st, "error", c.jid)
	r.Error = &stanza.Error{Type: typ, Condition: condition}
	return c.answer(r)
}

// undeliverable reports that nobody is there to get st.
func (c *client) undeliverable(st *rawStanza) error {
	return c.refuse(st, stanza.Cancel, stanza.ServiceUnavailable)
}

// deliver pushes st to another client, with our address as its sender's. A
// client that is gone by now is as if it had been gone before.
func (c *client) deliver(st *rawStanza, target *client) (ok bool, err error) {
	pieces := st.stamped(c.from)
	err = target.out.push(pieces[:]...)
	if errors.Is(err, errGone) {
		return false, nil
	}
	return err == nil, err
}
