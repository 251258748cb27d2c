package main

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/internal/notice"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// A pathTo is a connection to a peer.
type pathTo struct {
	peer   jid.JID
	direct atomic.Bool
}

func newPathTo(peer jid.JID, direct bool) *pathTo {
	p := &pathTo{peer: peer}
	p.direct.Store(direct)
	return p
}

func (p *pathTo) Peer() jid.JID        { return p.peer }
func (p *pathTo) Path() transport.Path { return transport.Path{Direct: p.direct.Load()} }

// Who goes offline in the middle of a transfer is waited for, which is told once that has taken a while; not while packets go directly all the same.
func TestOfflineNote(t *testing.T) {
	const gone, back = "waiting: bob@localhost went offline, and may come back (see xmpp.timeout)\n", "bob@localhost is back\n"
	bob, other := jid.MustParse("bob@localhost/git-b"), jid.MustParse("bob@localhost/git-c")
	for name, c := range map[string]struct {
		used  *pathTo // nil: none yet
		later func(n *offlineNote, p *pathTo)
		want  string
	}{
		"in-band":                      {used: newPathTo(bob, false), want: gone + back},
		"before there is a connection": {want: gone + back},
		"directly":                     {used: newPathTo(bob, true)},
		"directly to somebody else":    {used: newPathTo(other, true), want: gone + back},
		"the path goes, too":           {used: newPathTo(bob, true), later: func(_ *offlineNote, p *pathTo) { p.direct.Store(false) }, want: gone + back},
		"it ends":                      {used: newPathTo(bob, true), later: func(n *offlineNote, p *pathTo) { n.close(); p.direct.Store(false) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				n := &offlineNote{out: notice.New(t.Context(), &out)}
				told := func() string {
					n.mu.Lock()
					defer n.mu.Unlock()
					return out.String()
				}
				if c.used != nil {
					n.use(c.used)
				}
				n.presence(bob, false)
				time.Sleep(offlineAfter - time.Second)
				synctest.Wait()
				if told() != "" {
					t.Errorf("told at once: %s", told())
				}
				time.Sleep(4 * offlineAfter)
				synctest.Wait()
				if c.later != nil {
					c.later(n, c.used)
				}
				time.Sleep(offlineAfter + time.Second)
				synctest.Wait()
				n.presence(bob, true)
				time.Sleep(2 * offlineAfter)
				n.close()
				if told() != c.want {
					t.Errorf("told %q, want %q", told(), c.want)
				}
			})
		})
	}
}
