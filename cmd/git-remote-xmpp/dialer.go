package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"git-remote-xmpp/internal/agent"
	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// shownKeyBytes is how much of a key's fingerprint people are shown of the peer that was chosen: enough for the peers command to find it.
const shownKeyBytes = len("SHA256:") + 8

// dialer connects when git wants a service: by way of a serve that runs here, or it logs in itself.
type dialer struct {
	*setup
	remote          config.Remote
	remoteName, url string

	search   *client.Search
	target   client.Target // of the last stream
	agent    *agent.Client
	endpoint *transport.Endpoint
	session  *client.Session
	presence func(peer jid.JID, available bool) // is told of peers' on a login of our own; may be nil
	waits    *awaitNote                         // is told when an answer is expected; may be nil
	noting   sync.WaitGroup
	stopNote context.CancelFunc // of the connection; nil without one
}

// dial opens a stream to the first of the peers behind the address that is there; told why that one didn't accept, to the next.
func (d *dialer) dial(ctx context.Context, service protocol.Service, failure error) (stream tunnel.Stream, err error) {
	switch {
	case failure == nil:
		if err := d.begin(ctx); err != nil {
			return nil, err
		}
	case !client.Elsewhere(failure):
		return nil, failure
	}
	for {
		d.hangUp()
		if d.target, err = d.search.Next(failure); err != nil {
			return nil, d.explain(err)
		}
		if stream, failure, err = d.dialTarget(ctx, service); failure == nil || err != nil {
			return stream, err
		}
		d.log.Debug("not connected", "to", d.remote.Address.String(), "key", d.target.Key.String(), "err", failure)
	}
}

// dialTarget opens a stream to the one peer that is to be tried now. A failure is the peer's, err is ours.
func (d *dialer) dialTarget(ctx context.Context, service protocol.Service) (stream tunnel.Stream, failure, err error) {
	stream, failure = d.within(ctx, func(ctx context.Context) (tunnel.Stream, error) { return d.dialAgent(ctx, d.target) })
	if !errors.Is(failure, agent.ErrDeclined) {
		return stream, failure, nil
	}
	d.log.Debug("not connected by the agent", "to", d.remote.Address.String(), "err", failure)
	if err := d.logIn(ctx); err != nil {
		return nil, nil, err
	}
	stream, failure = d.within(ctx, func(ctx context.Context) (tunnel.Stream, error) { return d.dialAlone(ctx, service) })
	return stream, failure, nil
}

// patience is how long a peer has to answer while there is another one to try: a machine that was put to sleep is still online for its server.
const patience = 15 * time.Second

var errSilent = fmt.Errorf("%w: it doesn't answer", transport.ErrNobody)

// within runs dial, with patience if there is another peer.
func (d *dialer) within(ctx context.Context, dial func(context.Context) (tunnel.Stream, error)) (stream tunnel.Stream, err error) {
	if d.waits != nil {
		d.waits.expect(firstAfter)
		defer func() {
			if err != nil {
				d.waits.answered()
			}
		}()
	}
	if !d.search.More() {
		return dial(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSilent)
	defer cancel()
	stream, err = dial(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		err = errSilent
	}
	return stream, err
}

// begin begins to look for a peer. Whoever can't log in learns that before they learn that they know nobody.
func (d *dialer) begin(ctx context.Context) (err error) {
	if d.search, err = d.newSearch(); err == nil {
		return nil
	}
	cfg, incomplete := d.transportConfig(ctx, "")
	if incomplete == nil {
		incomplete = canLogIn(ctx, cfg)
	}
	if incomplete != nil {
		return incomplete
	}
	return d.explain(err)
}

func (d *dialer) newSearch() (*client.Search, error) {
	if d.remote.Invite != "" {
		return client.NewInviteSearch(d.remote.Address, d.remote.Invite)
	}
	only := os.Getenv(syncer.EnvPeer)
	if only == "" {
		return client.NewSearch(d.store, d.remote.Address, d.remote.Repo)
	}
	peer, err := d.store.Find(only)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", syncer.EnvPeer, err)
	}
	return client.NewKeySearch(d.store, d.remote.Address, peer.Key)
}

func (d *dialer) logIn(ctx context.Context) error {
	if d.endpoint != nil {
		return nil
	}
	resource, err := runResource()
	if err != nil {
		return err
	}
	cfg, err := d.transportConfig(ctx, resource)
	if err != nil {
		return err
	}
	cfg.Presence = d.presence
	if d.endpoint, err = d.start(ctx, cfg); err == nil && d.waits != nil {
		d.waits.use(d.endpoint)
	}
	return err
}

// dialAlone connects on a login of our own.
func (d *dialer) dialAlone(ctx context.Context, service protocol.Service) (tunnel.Stream, error) {
	var err error
	d.session, err = client.Connect(ctx, client.Options{
		Dialer: d.endpoint, Store: d.store, Account: d.settings.Account, Address: d.remote.Address, Software: software(),
		Resource: d.identity.Resource,
	}, d.target)
	if err != nil {
		return nil, err
	}
	d.log.Debug("connected", "peer", d.session.Peer().String(), "service", service.String())
	if d.remote.Invite != "" {
		if err := config.ForgetInvite(ctx, "", nil, d.remoteName, d.remote); err != nil {
			d.log.Warn("invite left in the remote's url", "err", err)
		}
	}
	return d.session.Open(ctx)
}

// accepted notes what the peer serves: it is the first to be asked from now on.
func (d *dialer) accepted(ctx context.Context, accept *protocol.Accept) {
	if err := d.store.Served(ctx, d.target.Key, d.remote.Address.String(), accept.Repository); err != nil {
		d.log.Warn("peer not noted as seen", "err", err)
	}
}

// noteClone notes which repository of ours was used with the peer's, if the peer is another machine of ours.
func (d *dialer) noteClone(ctx context.Context, accept *protocol.Accept, client string) {
	if client == "" {
		return
	}
	if err := d.store.NoteWent(ctx, d.target.Key, d.settings.Account.String(), accept.Repository, client); err != nil {
		d.log.Warn("clone not noted", "err", err)
	}
}

// note has the user told if much goes through the server, as long as there is this connection.
func (d *dialer) note(ctx context.Context, n *inbandNote) {
	ctx, d.stopNote = context.WithCancel(ctx)
	n.path, n.direct, n.limit = d.path, d.settings.DirectPath != config.UseNever, d.settings.InbandLimit
	d.noting.Go(func() { n.run(ctx) })
}

// path is how packets go now, if that is known.
func (d *dialer) path() (path transport.Path, ok bool) {
	switch {
	case d.session != nil:
		return d.session.Path(), true
	case d.agent != nil && d.agent.Path() != nil:
		return *d.agent.Path(), true
	}
	return path, false
}

// choice says which peer was chosen, if there was a choice.
func (d *dialer) choice() string {
	if !d.search.Choice() {
		return ""
	}
	key := d.target.Key.String()[:shownKeyBytes] + "…"
	if d.target.Label == "" {
		return "connected to " + key + "\n"
	}
	return fmt.Sprintf("connected to %q (%s)\n", d.target.Label, key)
}

// explain adds what the user can do.
func (d *dialer) explain(err error) error {
	name := displayName(d.remote)
	var refusal *protocol.Refuse
	switch {
	case errors.Is(err, transport.ErrKeyChanged) && d.remote.Invite != "":
		return &inviteKeyError{name, err}
	case errors.As(err, &refusal), errors.Is(err, transport.ErrKeyChanged):
		return err
	case errors.Is(err, transport.ErrBlocked):
		return fmt.Errorf("%s: %w: take it off there, with any XMPP client", name, err)
	case errors.Is(err, transport.ErrNobody):
		return fmt.Errorf("%s: %w: is git-remote-xmpp serve running there?", name, err)
	case errors.Is(err, transport.ErrKnock):
		return fmt.Errorf("%s: %w: it was mistyped or changed, or is too old: ask for a new one", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (d *dialer) close() {
	d.hangUp()
	if d.endpoint != nil {
		d.endpoint.Close()
		d.endpoint = nil
	}
}

// hangUp ends the connection to a peer, if there is one.
func (d *dialer) hangUp() {
	if d.stopNote != nil {
		d.stopNote()
		d.noting.Wait()
		d.stopNote = nil
	}
	if d.agent != nil {
		d.agent.Close()
		d.agent = nil
	}
	if d.session != nil {
		d.session.Close()
		d.session = nil
	}
}

// runResource is a resource for one run.
func runResource() (string, error) {
	var id [6]byte
	if _, err := io.ReadFull(rand.Reader, id[:]); err != nil {
		return "", err
	}
	return "git-run-" + hex.EncodeToString(id[:]), nil
}
