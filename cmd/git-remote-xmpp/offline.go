package main

import (
	"fmt"
	"sync"
	"time"

	"git-remote-xmpp/internal/notice"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// offlineAfter is how long a peer may be offline in a transfer until the user is told.
const offlineAfter = 5 * time.Second

// An offlineNote tells why nothing moves: the peer went offline, and has its time to be back. While packets go directly to who is gone from the servers, nothing is told.
type offlineNote struct {
	out *notice.Writer

	mu     sync.Mutex
	away   map[string]*away // by full JID
	used   connection       // nil before there is one
	closed bool
}

// A connection is one to a peer, as far as its path goes.
type connection interface {
	Peer() jid.JID
	Path() transport.Path
}

// use says which connection is used from now on.
func (n *offlineNote) use(c connection) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.used = c
}

type away struct {
	timer *time.Timer
	line  *notice.Line
}

// presence is told who came and went.
func (n *offlineNote) presence(peer jid.JID, available bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	full := peer.String()
	a := n.away[full]
	switch {
	case available && a != nil:
		a.timer.Stop()
		delete(n.away, full)
		a.line.Done(fmt.Sprintf("%s is back", peer.Bare()))
	case !available && a == nil && !n.closed:
		if n.away == nil {
			n.away = make(map[string]*away)
		}
		n.away[full] = &away{line: n.out.Line(), timer: time.AfterFunc(offlineAfter, func() { n.tell(full, peer.Bare()) })}
	}
}

func (n *offlineNote) tell(full string, peer jid.JID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.away[full]
	switch {
	case a == nil:
	case n.used != nil && n.used.Peer().String() == full && n.used.Path().Direct:
		a.timer.Reset(offlineAfter) // it may be gone for good, or its path
	default:
		a.line.Set(fmt.Sprintf("waiting: %s went offline, and may come back (see xmpp.timeout)", peer))
	}
}

// close ends the watch.
func (n *offlineNote) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for _, a := range n.away {
		a.timer.Stop()
		a.line.Clear()
	}
	n.away = nil
}
