package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
)

// offlineAfter is how long a peer may be offline in a transfer until the user is told.
const offlineAfter = 5 * time.Second

// An offlineNote tells why nothing moves: the peer went offline, and has its time to be back.
type offlineNote struct {
	out io.Writer

	mu     sync.Mutex
	away   map[string]*away // by full JID
	closed bool
}

type away struct {
	timer *time.Timer
	told  bool
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
		if a.told {
			fmt.Fprintf(n.out, "%s is back\n", peer.Bare())
		}
	case !available && a == nil && !n.closed:
		if n.away == nil {
			n.away = make(map[string]*away)
		}
		n.away[full] = &away{timer: time.AfterFunc(offlineAfter, func() { n.tell(full, peer.Bare()) })}
	}
}

func (n *offlineNote) tell(full string, peer jid.JID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a := n.away[full]; a != nil {
		a.told = true
		fmt.Fprintf(n.out, "waiting: %s went offline, and may come back (see xmpp.timeout)\n", peer)
	}
}

// close ends the watch.
func (n *offlineNote) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for _, a := range n.away {
		a.timer.Stop()
	}
	n.away = nil
}
