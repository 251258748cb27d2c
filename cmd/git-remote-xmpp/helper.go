package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/helper"
	"git-remote-xmpp/internal/notice"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/pushcmd"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
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
	people := notice.New(ctx, std.err)
	defer people.Close()
	std.err = people
	s, err := load(ctx, std, config.Settings.RequireAccount)
	if err != nil {
		return err
	}
	defer s.close()
	h := &helper.Helper{
		In: std.in, Out: std.out, Err: people, Timeout: s.settings.Timeout, Name: displayName(remote),
		Open: protocol.Open{
			Repository: remote.Repo, GitProtocol: uint32(s.settings.ProtocolVersion), Merges: os.Getenv(syncer.EnvMerges) != "",
		},
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
	note := &offlineNote{out: people}
	defer note.close()
	waits := &awaitNote{out: people, name: displayName(remote)}
	waits.start(ctx)
	defer waits.close()
	d := &dialer{setup: s, remote: remote, remoteName: remoteName, url: url, presence: note.presence, waits: waits}
	defer d.close()
	var m meter
	h.Watch = (&watched{&m, waits, people, h.Meters}).see
	h.Accepted = func(ctx context.Context, accept *protocol.Accept) {
		waits.answered()
		if !h.Quiet() {
			d.note(ctx, &inbandNote{seen: m.seen, out: people, inPlace: people.IsTerminal() && !h.Meters(), estimate: func(ctx context.Context) (int64, error) { return m.estimate(ctx, local, accept) }})
		}
		fmt.Fprint(std.err, d.choice())
		d.accepted(ctx, accept)
		d.noteClone(ctx, accept, h.Open.Client)
	}
	wantsDirect := s.settings.DirectPath != config.UseNever // who doesn't needn't be told how packets go
	h.Dial = func(ctx context.Context, service protocol.Service, failure error) (tunnel.Stream, error) {
		m.begin(service)
		stream, err := d.dial(ctx, service, failure)
		if err == nil && d.session != nil {
			note.use(d.session)
		}
		if err == nil && local != nil { // a repository gets its UUID when it is needed, not by a failed attempt
			h.Open.Client, err = local.UUID(ctx)
		}
		return stream, err
	}
	err = h.Run(ctx)
	if h.Verbose() && wantsDirect && err == nil {
		fmt.Fprint(std.err, d.way())
	}
	return err
}

// displayName is how a remote is called in messages: alice@example.org/proj.
func displayName(r config.Remote) string {
	name := r.Address.String()
	if r.Repo != "" {
		name += "/" + r.Repo
	}
	return name
}
