package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

const (
	// peerWithin is how long each peer has to be connected to, refsWithin how long to tell its refs.
	peerWithin, refsWithin = 15 * time.Second, 30 * time.Second
	// pathWithin is how long a better path than that through the server is waited for, pathLook how often it is looked for.
	pathWithin, pathLook = 3 * time.Second, 50 * time.Millisecond
)

// A Remote is what a URL leads to.
type Remote struct {
	Name       string // for people
	Repository string // name or UUID
	Invite     string // of the URL; it isn't used
	Direct     bool   // packets are to go directly if they can
	Options    client.Options
	// PathText says how packets go.
	PathText func(transport.Path) string
}

// A visit is what was found at a remote.
type visit struct {
	Remote
	steps   Steps
	search  *client.Search
	invited bool // the key is but that of the invite
	target  client.Target
	session *client.Session
}

// Check says whether the remote's refs can be had, and how. Without a dialer it says what is known here.
func (r Remote) Check(ctx context.Context) Steps {
	v := &visit{Remote: r}
	v.Options.Look = true
	v.check(ctx)
	for i := range v.steps {
		v.steps[i].Remote = r.Name
	}
	return v.steps
}

func (v *visit) check(ctx context.Context) {
	if !v.known() {
		v.none("no key is known", "online", "key", "refs", "path")
		return
	}
	if v.Options.Dialer == nil {
		v.none("not logged in", "online", "key", "refs", "path")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(v.search.Known())*peerWithin+refsWithin)
	defer cancel()
	defer v.hangUp()
	service, accept, err := tunnel.Find(ctx, v.dial, refsWithin, &protocol.Open{Service: protocol.UploadPack, Repository: v.Repository}, func(uint32) {})
	if !v.reached(err) {
		return
	}
	if err != nil {
		v.steps.Fail("refs", err, refsAdvice(err))
	} else {
		v.refs(service, accept)
		service.Stop()
	}
	v.path(ctx)
}

func (v *visit) none(why string, names ...string) {
	for _, name := range names {
		v.steps.None(name, "%s", why)
	}
}

// known tells whether there is a key for the address.
func (v *visit) known() bool {
	var err error
	v.search, err = client.NewSearch(v.Options.Store, v.Options.Address, v.Repository)
	switch {
	case errors.Is(err, client.ErrNoKey) && v.Invite != "":
		if v.search, err = client.NewLookSearch(v.Options.Address, v.Invite); err != nil {
			v.steps.Fail("known", err, "")
			return false
		}
		v.invited = true
		v.steps.None("known", "by the invite in the URL, which isn't used now")
		return true
	case err != nil:
		v.steps.Fail("known", err, "")
		return false
	}
	v.steps.OK("known", "keys at %s: %d", v.Options.Address, v.search.Known())
	return true
}

// dial opens a stream to the first peer that is there; told why that one has no such repository, to the next.
func (v *visit) dial(ctx context.Context, failure error) (tunnel.Stream, error) {
	for {
		next, err := v.search.Next(failure)
		if err != nil { // what the last one is like is still to be seen
			return nil, err
		}
		v.hangUp()
		v.target = next
		var stream tunnel.Stream
		if stream, failure = v.connect(ctx); failure == nil {
			return stream, nil
		}
		if !client.Elsewhere(failure) {
			return nil, failure
		}
	}
}

var errSilent = fmt.Errorf("%w: it doesn't answer", transport.ErrNobody)

func (v *visit) connect(ctx context.Context) (stream tunnel.Stream, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, peerWithin, errSilent)
	defer cancel()
	if v.session, err = client.Connect(ctx, v.Options, v.target); err != nil {
		return nil, err
	}
	return v.session.Open(ctx)
}

func (v *visit) hangUp() {
	if v.session != nil {
		v.session.Close()
		v.session = nil
	}
}

// reached says who is there, and with which key; false if nobody is, or not the right one.
func (v *visit) reached(err error) bool {
	var changed *transport.KeyChangedError
	switch {
	case v.session != nil:
		v.steps.OK("online", "%s%s", v.session.Peer(), label(v.target))
		v.steps.OK("key", "%s, as expected", v.target.Key)
		return true
	case errors.As(err, &changed):
		got, _ := peers.KeyOf(changed.Got)
		v.steps.OK("online", "%s", changed.Peer)
		v.steps.Fail("key", fmt.Errorf("it has changed: expected %s, got %s", v.target.Key, got), fmt.Sprintf("somebody may be pretending to be it, or it was set up anew: ask its owner; "+
			"if the new key is right: git-remote-xmpp peers remove %s, then fetch with a new invite", v.target.Key))
		v.none("not asked", "refs", "path")
	case v.invited && errors.Is(err, transport.ErrNobody):
		v.none(err.Error()+" yet", "online")
		v.steps.advise("clone or fetch with the invite; if that has been done, is git-remote-xmpp serve running there, logged in as %s?", v.Options.Address)
		v.none("nobody was reached", "key", "refs", "path")
	default:
		advice := ""
		switch {
		case errors.Is(err, transport.ErrBlocked):
			advice = "take it off there, with any XMPP client"
		case errors.Is(err, transport.ErrNobody):
			advice = "is git-remote-xmpp serve running there, logged in as " + v.Options.Address.String() + "?"
		}
		v.steps.Fail("online", err, advice)
		v.none("nobody was reached", "key", "refs", "path")
	}
	return false
}

func label(t client.Target) string {
	if t.Label == "" {
		return ""
	}
	return fmt.Sprintf(" (%q)", t.Label)
}

// path waits a moment for a better one than that through the server.
func (v *visit) path(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pathWithin)
	defer cancel()
	ticker := time.NewTicker(pathLook)
	defer ticker.Stop()
	path := v.session.Path()
	for ; v.Direct && !path.Direct && ctx.Err() == nil; path = v.session.Path() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	v.steps.OK("path", "%s", v.PathText(path))
}
