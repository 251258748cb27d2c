package transport

import (
	"sync"
	"time"

	"mellium.im/xmpp/jid"
)

const (
	// maxBookEntries is how many senders are remembered, known ones and strangers.
	maxBookEntries = 4096
	// maxKnocked is how many JIDs that an invite let in are remembered at once.
	maxKnocked = 256
	// admitFor is how long an answer of Config.Admit is good.
	admitFor = 2 * time.Second
	// knockedFor is how long a knock lets packets in that no connection follows.
	knockedFor = 2 * time.Minute
	// askAwayEvery is how often a peer that went offline is asked whether it is back: its word of it may not reach us.
	askAwayEvery = 3 * time.Second
	// lostPeerGrace is LostPeerGrace by default: a peer that was killed is to be known soon, and one whose link was cut is back sooner.
	lostPeerGrace = 30 * time.Second
)

// A book knows the peers by their full JIDs: which of them packets are read from, and
// which connections they have.
type book struct {
	cfg *Config
	ask func(*peer) // whether it is there; must not block

	mu      sync.Mutex
	entries map[string]*entry    // by the address as it is written in stanzas
	knocked map[string]time.Time // full JIDs let in by a tag, until when
	conns   map[string]int       // how many there are, by bare JID
	closed  bool
}

type entry struct {
	peer     *peer // nil: not an address that we read from
	admitted bool
	checked  time.Time
	dialing  int
	conns    map[*Conn]struct{}
	offline  bool     // as the servers said last
	gone     *absence // while the peer is offline and has connections
}

// An absence is what a peer that went offline has left of LostPeerGrace.
type absence struct {
	timer *time.Timer // until it is asked again
	left  time.Duration
	heard time.Time // when a packet came last
}

func newBook(cfg *Config, ask func(*peer)) *book {
	return &book{cfg: cfg, ask: ask, entries: make(map[string]*entry), knocked: make(map[string]time.Time), conns: make(map[string]int)}
}

// sender returns the peer that packets from an address belong to, or nil if they aren't read.
func (b *book) sender(from string) *peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entryLocked(from)
	if e.peer == nil {
		return nil
	}
	if e.gone != nil {
		e.gone.heard = time.Now()
	}
	if len(e.conns) > 0 || e.dialing > 0 {
		return e.peer
	}
	if now := time.Now(); now.Sub(e.checked) > admitFor {
		e.admitted, e.checked = b.admitLocked(e.peer, now), now
	}
	if !e.admitted {
		return nil
	}
	return e.peer
}

func (b *book) admitLocked(p *peer, now time.Time) bool {
	if b.cfg.Admit != nil && b.cfg.Admit(p.jid.Bare()) {
		return true
	}
	until, ok := b.knocked[p.full]
	return ok && now.Before(until)
}

// entryLocked returns the entry for an address as it is written. Two ways to write one JID have one peer.
func (b *book) entryLocked(written string) *entry {
	if e := b.entries[written]; e != nil {
		return e
	}
	b.makeRoomLocked()
	full, err := jid.Parse(written)
	if err != nil || full.Resourcepart() == "" {
		e := &entry{}
		b.entries[written] = e
		return e
	}
	e := b.entries[full.String()]
	if e == nil {
		e = &entry{peer: newPeer(full), conns: make(map[*Conn]struct{})}
		b.entries[full.String()] = e
	}
	b.entries[written] = e
	return e
}

// makeRoomLocked forgets entries without connections when there are too many.
func (b *book) makeRoomLocked() {
	if len(b.entries) < maxBookEntries {
		return
	}
	for written, e := range b.entries {
		if len(e.conns) == 0 && e.dialing == 0 {
			delete(b.entries, written)
		}
	}
}

// dialed returns the peer for an address and reads packets from it until release is called.
func (b *book) dialed(to jid.JID) (p *peer, release func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entryLocked(to.String())
	e.dialing++
	return e.peer, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		e.dialing--
	}
}

// knock tells whether packets of a peer are read, and lets it in if the tag says so.
func (b *book) knock(from jid.JID, tag []byte) (p *peer, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entryLocked(from.String())
	if e.peer == nil {
		return nil, false
	}
	now := time.Now()
	if tag != nil && b.cfg.AdmitKnock != nil && b.cfg.AdmitKnock(from.Bare(), tag) {
		for full, until := range b.knocked {
			if now.After(until) {
				delete(b.knocked, full)
			}
		}
		if len(b.knocked) < maxKnocked {
			b.knocked[e.peer.full] = now.Add(knockedFor)
		}
	}
	e.admitted, e.checked = b.admitLocked(e.peer, now), now
	return e.peer, e.admitted
}

// add notes a connection, remove forgets it. The peer may have gone offline since it sent the last packet that the connection needed.
func (b *book) add(c *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entryLocked(c.peer.full)
	e.conns[c] = struct{}{}
	b.conns[c.peer.jid.Bare().String()]++
	if e.offline {
		b.awaitLocked(e)
	}
}

func (b *book) remove(c *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entryLocked(c.peer.full)
	delete(e.conns, c)
	account := c.peer.jid.Bare().String()
	if b.conns[account]--; b.conns[account] == 0 {
		delete(b.conns, account)
	}
	if len(e.conns) == 0 {
		e.back()
		c.peer.routes.ever.Store(false) // the next connection has its own windows, and hasn't migrated
		c.peer.routes.came.Store(false)
	}
}

// back ends the wait for a peer.
func (e *entry) back() {
	if e.gone != nil {
		e.gone.timer.Stop()
		e.gone = nil
	}
}

// connections is how many a peer's account has.
func (b *book) connections(p *peer) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conns[p.jid.Bare().String()]
}

// connected lists the peers that have connections or are dialed.
func (b *book) connected() (peers []*peer, conns []*Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := make(map[*entry]bool)
	for _, e := range b.entries {
		if seen[e] || len(e.conns) == 0 && e.dialing == 0 {
			continue
		}
		seen[e] = true
		peers = append(peers, e.peer)
		for c := range e.conns {
			conns = append(conns, c)
		}
	}
	return peers, conns
}

// talking returns the peer at an address if it has connections.
func (b *book) talking(from jid.JID) *peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[from.String()]; e != nil && len(e.conns) > 0 {
		return e.peer
	}
	return nil
}

// busy tells whether there is a connection, or one is being made.
func (b *book) busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		if len(e.conns) > 0 || e.dialing > 0 {
			return true
		}
	}
	return false
}

// present notes that a peer came or went. Its connections have LostPeerGrace to see it back.
func (b *book) present(from jid.JID, available bool) (nudge []*Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[from.String()]
	if e == nil || e.peer == nil {
		return nil
	}
	e.offline = !available
	if !available {
		b.awaitLocked(e)
		return nil
	}
	if e.gone == nil {
		return nil
	}
	e.back()
	for c := range e.conns {
		nudge = append(nudge, c)
	}
	return nudge
}

// awaitLocked begins to wait for a peer with connections to come back.
func (b *book) awaitLocked(e *entry) {
	if e.gone != nil || len(e.conns) == 0 || b.closed {
		return
	}
	pause := min(askAwayEvery, b.cfg.LostPeerGrace/4)
	a := &absence{left: b.cfg.LostPeerGrace}
	a.timer = time.AfterFunc(pause, func() { b.look(e, a, pause) })
	e.gone = a
}

// look asks for a peer that is away, or gives it up. Pauses are counted, so that of a sleep of this machine one counts, however long it was.
func (b *book) look(e *entry, a *absence, pause time.Duration) {
	b.mu.Lock()
	if e.gone != a {
		b.mu.Unlock()
		return
	}
	if a.left -= pause; a.left <= 0 {
		b.mu.Unlock()
		b.lost(e)
		return
	}
	a.timer.Reset(pause)
	b.mu.Unlock()
	b.ask(e.peer)
}

// away tells whether a peer with connections has gone offline.
func (b *book) away(p *peer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[p.full]
	return e != nil && e.gone != nil && !p.routes.up()
}

// lost closes the connections of a peer that didn't come back. One whose packets still come is there, whatever the servers say.
func (b *book) lost(e *entry) {
	b.mu.Lock()
	var conns []*Conn
	if e.gone != nil && (time.Since(e.gone.heard) < b.cfg.LostPeerGrace/2 || e.peer.routes.up()) {
		e.back()
		e.offline = false
	}
	if e.gone != nil {
		for c := range e.conns {
			conns = append(conns, c)
		}
	}
	b.mu.Unlock()
	for _, c := range conns {
		c.abandon(fail(ErrLost, "%s went offline", c.peer.full))
	}
}

// closeAll stops the timers.
func (b *book) closeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, e := range b.entries {
		e.back()
	}
}
