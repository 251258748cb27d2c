package client

import (
	"slices"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// A Connection is a connection of a pool's.
type Connection struct {
	Peer    jid.JID // full
	Key     peers.Key
	Since   time.Time
	Streams int // that are open
	Path    transport.Path
}

// Connections lists those that have been made and are alive, the oldest first.
func (p *Pool) Connections() []Connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []Connection
	for _, c := range p.conns {
		if !c.alive() {
			continue
		}
		key, _ := peers.KeyOf(c.session.conn.Key()) // was checked when it was made
		list = append(list, Connection{Peer: c.session.Peer(), Key: key, Since: c.made, Streams: c.streams, Path: c.session.conn.Path()})
	}
	slices.SortStableFunc(list, func(a, b Connection) int { return a.Since.Compare(b.Since) })
	return list
}
