package serve

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"git-remote-xmpp/internal/schedule"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/transport"
)

const (
	// onlineTimeout is how long the XMPP server has to answer before it counts as gone.
	onlineTimeout = 3 * time.Second
	// listTimeout is how long a status waits for the list of repositories.
	listTimeout = 5 * time.Second

	// The paths of a connection: its packets ride in XMPP messages, go by UDP between the two machines, or through a TURN server, or over TCP through a server's proxy.
	InBand     = "in-band"
	DirectPath = "direct"
	Relayed    = "relayed"
	Bytestream = "bytestream"
)

// A Status is what a server is doing, as scripts see it. There are no secrets in it, but names, keys' fingerprints and addresses.
type Status struct {
	Account     string       `json:"account"`
	JID         string       `json:"jid"` // full
	Online      bool         `json:"online"`
	Limits      Limits       `json:"limits"`
	Connections []Connection `json:"connections"`
	Running     []Run        `json:"running"`
	Waiting     []Run        `json:"waiting"`
	// Repositories are those that are served. There may be more if the list isn't complete: it takes long then.
	Repositories []Repository `json:"repositories"`
	Complete     bool         `json:"repositoriesComplete"`
	// Sync is how far those are in step that are kept so, or that others have cloned.
	Sync []syncer.Status `json:"sync"`
}

// Limits are how many runs there may be at once, in each direction.
type Limits struct {
	Pushes           int `json:"maxPushes"`
	Fetches          int `json:"maxFetches"`
	Waiting          int `json:"maxWaiting"`
	WaitingPerClient int `json:"maxWaitingPerClient"`
}

// A Direction is who made a connection.
type Direction string

// The directions.
const (
	Incoming Direction = "incoming" // the peer did
	Outgoing Direction = "outgoing"
)

// A Connection is one with a peer.
type Connection struct {
	JID       string    `json:"jid"` // full
	Key       string    `json:"key"` // fingerprint
	Label     string    `json:"label"`
	Direction Direction `json:"direction"`
	Path      string    `json:"path"`
	WhyInBand string    `json:"whyInBand,omitempty"` // why not over UDP
	Address   string    `json:"address,omitempty"`   // of the peer, or of the proxy, where packets don't go in messages
	RoundTrip float64   `json:"roundTripMs,omitempty"`
	Since     time.Time `json:"since"`
	Streams   int       `json:"streams"` // that are open
}

// SetPath says how the connection's packets go.
func (c *Connection) SetPath(p transport.Path) {
	c.Path, c.WhyInBand, c.Address, c.RoundTrip = InBand, p.Why, p.Address, float64(p.Trip.Microseconds())/1000
	switch {
	case p.Bytestream:
		c.Path = Bytestream
	case p.Relayed:
		c.Path = Relayed
	case p.Direct:
		c.Path = DirectPath
	}
}

// A Run is a push or fetch that runs or waits: an entry of the scheduler's.
type Run struct {
	Client     string     `json:"client"` // UUID of the peer's repository; empty if it came from outside of one
	Key        string     `json:"key"`    // fingerprint
	Label      string     `json:"label"`
	JID        string     `json:"jid"` // full
	Repository Repository `json:"repository"`
	Side       string     `json:"side"` // receiving, sending or fetching
	Service    string     `json:"service"`
	Since      time.Time  `json:"since"`    // when it began to run, or to wait
	Before     int        `json:"before"`   // how many come before it; 0 if it runs
	Received   uint64     `json:"received"` // bytes of its stream until now
	Sent       uint64     `json:"sent"`
	Size       uint64     `json:"size,omitempty"` // about how many bytes it sends in all, where that is known: of a clone
}

// A Repository is one that is served.
type Repository struct {
	Name string `json:"name"`
	UUID string `json:"uuid"`
}

// Status says what the server is doing. It may be asked at any time.
func (s *Server) Status(ctx context.Context) Status {
	self := s.Endpoint.JID()
	status := Status{
		Account: self.Bare().String(), JID: self.String(), Online: s.online(ctx),
		Limits: Limits{Pushes: s.Pushes, Fetches: s.Fetches, Waiting: maxWaiting, WaitingPerClient: maxWaitingPerClient},
	}
	status.Repositories, status.Complete = s.repositories(ctx)
	status.Sync = []syncer.Status{}
	if s.Sync != nil {
		status.Sync = s.Sync.Status(ctx)
	}
	turns, connections := s.live.look()
	status.Connections, status.Running, status.Waiting = connections, []Run{}, []Run{}
	if turns != nil {
		for _, r := range turns.runs() {
			if r.Before == 0 {
				status.Running = append(status.Running, r)
			} else {
				status.Waiting = append(status.Waiting, r)
			}
		}
	}
	slices.SortStableFunc(status.Waiting, func(a, b Run) int { return cmp.Compare(a.Before, b.Before) })
	return status
}

func (s *Server) online(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, onlineTimeout)
	defer cancel()
	return s.Endpoint.Online(ctx)
}

// repositories lists what is served, as far as that can be found out soon.
func (s *Server) repositories(ctx context.Context) (list []Repository, complete bool) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	entries, err := s.Catalog.Entries(ctx)
	list = make([]Repository, 0, len(entries))
	for _, e := range entries {
		list = append(list, Repository{e.Name, e.UUID})
	}
	return list, err == nil
}

// live is what a running server has that its status shows. The zero value is ready for use.
type live struct {
	mu    sync.Mutex
	turns *turns // nil before it runs
	links map[*link]struct{}
}

// A link is a connection of a known peer's.
type link struct {
	client *client
	since  time.Time
	idle   *idleTimer
}

// begin says that the server runs.
func (l *live) begin(t *turns) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns = t
}

// add notes a connection until forget is called.
func (l *live) add(c *client, idle *idleTimer) (forget func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.links == nil {
		l.links = make(map[*link]struct{})
	}
	n := &link{c, time.Now(), idle}
	l.links[n] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.links, n)
	}
}

// look returns what is there now, the oldest connection first.
func (l *live) look() (*turns, []Connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Connection, 0, len(l.links))
	for n := range l.links {
		c := Connection{
			JID: n.client.conn.Peer().String(), Key: n.client.key.String(), Label: n.client.peer.Label,
			Direction: Incoming, Since: n.since, Streams: n.idle.running(),
		}
		c.SetPath(n.client.conn.Path())
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Connection) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.JID, b.JID)) })
	return l.turns, list
}

// runs are all entries of the scheduler's: those that run come first.
func (t *turns) runs() []Run {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []Run
	for _, e := range t.scheduler.Snapshot() {
		list = append(list, t.entrants[e.Ticket].describe(e, t.scheduler.Before(e.Ticket)))
	}
	return list
}

// describe tells a job's entry with what the scheduler doesn't know.
func (j *job) describe(e schedule.Entry, before int) Run {
	return Run{
		Client: j.open.Client, Key: e.Owner, Label: j.client.peer.Label, JID: j.client.conn.Peer().String(),
		Repository: Repository{j.entry.Name, j.entry.UUID}, Side: e.Side.String(), Service: j.open.Service.String(),
		Since: e.Since, Before: before, Received: j.stream.received.Load(), Sent: j.stream.sent.Load(), Size: j.wish.size(),
	}
}

// A countedStream counts the bytes that go through it.
type countedStream struct {
	*transport.Stream
	received, sent atomic.Uint64
}

func (s *countedStream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	s.received.Add(uint64(n))
	return n, err
}

func (s *countedStream) Write(p []byte) (int, error) {
	n, err := s.Stream.Write(p)
	s.sent.Add(uint64(n))
	return n, err
}
