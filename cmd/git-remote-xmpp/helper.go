package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"git-remote-xmpp/internal/agent"
	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/helper"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/pushcmd"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// helperCommand is git's remote helper: git-remote-xmpp <remote> <url>.
func helperCommand(ctx context.Context, std stdio, remoteName, url string) error {
	remote, err := config.ParseRemote(url)
	if err != nil {
		return err
	}
	if remote.Invite != "" {
		if _, err := peers.ParseToken(remote.Invite); err != nil {
			return fmt.Errorf("%s: %w", displayName(remote), err)
		}
	}
	s, err := load(ctx, std, config.Settings.RequireAccount)
	if err != nil {
		return err
	}
	defer s.close()
	h := &helper.Helper{
		In: std.in, Out: std.out, Err: std.err, Timeout: s.settings.Timeout, Name: displayName(remote),
		Open: protocol.Open{Repository: remote.Repo, GitProtocol: uint32(s.settings.ProtocolVersion)},
	}
	local, err := repo.FromEnv(ctx)
	switch {
	case err == nil:
		h.Rewrite = func(ctx context.Context, in io.Reader, out io.Writer) error {
			return local.RewriteAdvertisement(ctx, pushcmd.Find(ctx), remoteName, in, out)
		}
	case !errors.Is(err, repo.ErrNotRepository):
		return err
	}
	d := &dialer{setup: s, remote: remote, remoteName: remoteName, url: url}
	defer d.close()
	h.Dial = func(ctx context.Context, service protocol.Service) (tunnel.Stream, error) {
		stream, err := d.dial(ctx, service)
		if err == nil && local != nil { // a repository gets its UUID when it is needed, not by a failed attempt
			h.Open.Client, err = local.UUID(ctx)
		}
		return stream, err
	}
	return h.Run(ctx)
}

// displayName is how a remote is called in messages: alice@example.org/proj.
func displayName(r config.Remote) string {
	name := r.Address.String()
	if r.Repo != "" {
		name += "/" + r.Repo
	}
	return name
}

// dialer connects when git wants a service: by way of a serve that runs here, or it logs in itself.
type dialer struct {
	*setup
	remote          config.Remote
	remoteName, url string

	agent    *agent.Client
	endpoint *transport.Endpoint
	session  *client.Session
}

func (d *dialer) dial(ctx context.Context, service protocol.Service) (tunnel.Stream, error) {
	stream, err := d.dialAgent(ctx)
	if err == nil {
		return stream, nil
	}
	d.log.Debug("not connected by the agent", "to", d.remote.Address.String(), "err", err)
	if !errors.Is(err, agent.ErrDeclined) {
		return nil, d.explain(err)
	}
	return d.dialAlone(ctx, service)
}

// dialAlone logs in and connects.
func (d *dialer) dialAlone(ctx context.Context, service protocol.Service) (tunnel.Stream, error) {
	resource, err := runResource()
	if err != nil {
		return nil, err
	}
	cfg, err := d.transportConfig(ctx, resource)
	if err != nil {
		return nil, err
	}
	if d.endpoint, err = d.start(ctx, cfg); err != nil {
		return nil, err
	}
	d.session, err = client.Connect(ctx, client.Options{
		Dialer: d.endpoint, Store: d.store, Account: d.settings.Account, Address: d.remote.Address,
		Invite: d.remote.Invite, Software: software(),
	})
	if err != nil {
		d.log.Debug("not connected", "to", d.remote.Address.String(), "err", err)
		return nil, d.explain(err)
	}
	d.log.Debug("connected", "peer", d.session.Peer().String(), "service", service.String())
	if d.remote.Invite != "" {
		if err := d.stripInvite(ctx); err != nil {
			d.log.Warn("invite left in the remote's url", "err", err)
		}
	}
	return d.session.Open(ctx)
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
	case errors.Is(err, transport.ErrNobody):
		return fmt.Errorf("%s: %w: is git-remote-xmpp serve running there?", name, err)
	case errors.Is(err, transport.ErrKnock):
		return fmt.Errorf("%s: %w: it was mistyped or changed, or is too old: ask for a new one", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// stripInvite takes the invite, which is worthless now, out of the remote's URL.
func (d *dialer) stripInvite(ctx context.Context) error {
	if d.remoteName == "" || d.remoteName == d.url {
		return nil
	}
	key := "remote." + d.remoteName + ".url"
	for _, written := range []string{"xmpp::" + d.url, "xmpp://" + d.url, d.url} {
		cmd := exec.CommandContext(ctx, "git", "config", "--local", "--fixed-value", "--replace-all", key, d.remote.WithoutInvite().String(), written)
		has := exec.CommandContext(ctx, "git", "config", "--local", "--fixed-value", "--get", key, written)
		if has.Run() != nil {
			continue
		}
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("git config %s: %w", key, err)
		}
	}
	return nil
}

func (d *dialer) close() {
	if d.agent != nil {
		d.agent.Close()
	}
	if d.session != nil {
		d.session.Close()
	}
	if d.endpoint != nil {
		d.endpoint.Close()
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
