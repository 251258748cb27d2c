package main

import (
	"context"
	"fmt"
	"strings"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/lfs"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
	"github.com/spf13/pflag"
)

// lfsSettings have git-lfs run `git-remote-xmpp lfs agent` for URLs that begin with xmpp::, and for no others. git-lfs takes xmpp://
// for a host of ssh's: git and git-lfs shall both read it as xmpp::.
var lfsSettings = [][]string{
	{"lfs.xmpp::.standalonetransferagent", "xmpp"},
	{"lfs.customtransfer.xmpp.path", programName},
	{"lfs.customtransfer.xmpp.args", "lfs agent"},
	{"lfs.customtransfer.xmpp.concurrent", "false"},  // one login, not eight
	{"url.xmpp::.insteadOf", "xmpp://", "^xmpp://$"}, // beside others that there may be
}

// lfsCommand is what makes Git LFS work: its set-up, and what that has git-lfs run.
func lfsCommand(ctx context.Context, std stdio, args []string) error {
	rest, err := parseFlags("lfs", std, args, func(*pflag.FlagSet) {})
	if err != nil {
		return err
	}
	switch strings.Join(rest, " ") {
	case "setup":
		return lfsSetup(ctx, std)
	case "agent":
		return lfsAgent(ctx, std)
	}
	return usagef("lfs: expected setup, or agent, which git-lfs runs")
}

// lfsSetup makes the settings, for all repositories of the user.
func lfsSetup(ctx context.Context, std stdio) error {
	for _, s := range lfsSettings {
		if err := config.SetGlobal(ctx, s...); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(std.out, "%s = %s\n", s[0], s[1]); err != nil {
			return err
		}
	}
	return nil
}

// lfsAgent is git-lfs's custom transfer agent.
func lfsAgent(ctx context.Context, std stdio) error {
	var d *dialer
	defer func() {
		if d != nil {
			d.close()
			d.setup.close()
		}
	}()
	agent := &lfs.Agent{
		In: std.in, Out: std.out,
		Begin: func(ctx context.Context, service protocol.Service, remote string) (c *lfs.Client, err error) {
			if d, err = lfsDialer(ctx, std, service, remote); err != nil {
				return nil, err
			}
			return lfsClient(ctx, d, service)
		},
		Tell: func(err error) (int, string) { return exitStatus(err), errorText(err) },
	}
	return agent.Run(ctx)
}

// lfsDialer is a dialer for the remote that git-lfs names.
func lfsDialer(ctx context.Context, std stdio, service protocol.Service, remoteName string) (*dialer, error) {
	url, err := config.LFSRemote(ctx, "", nil, remoteName, service.Writes())
	if err != nil {
		return nil, err
	}
	remote, err := config.ParseRemote(url)
	if err != nil {
		return nil, err
	}
	if remote.Invite != "" {
		if _, err := peers.ParseToken(remote.Invite); err != nil {
			return nil, fmt.Errorf("%s: %w", displayName(remote), err)
		}
	}
	s, err := load(ctx, std, config.Settings.RequireAccount)
	if err != nil {
		return nil, err
	}
	return &dialer{setup: s, remote: remote, remoteName: remoteName, url: strings.TrimPrefix(url, "xmpp::")}, nil
}

// lfsClient carries objects of the repository that we stand in.
func lfsClient(ctx context.Context, d *dialer, service protocol.Service) (*lfs.Client, error) {
	local, err := repo.FromEnv(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := local.LFSDir(ctx)
	if err != nil {
		return nil, err
	}
	open := &protocol.Open{Service: service, Repository: d.remote.Repo}
	return &lfs.Client{
		Dial: func(ctx context.Context, failure error) (tunnel.Stream, error) {
			if failure == nil {
				d.close() // of a connection from before nothing is left
			}
			stream, err := d.dial(ctx, service, failure)
			if err == nil {
				open.Client, err = local.UUID(ctx)
			}
			return stream, err
		},
		Accepted: d.accepted, Open: open, Timeout: d.settings.Timeout, Name: displayName(d.remote), Store: lfs.Store{Dir: dir}, Log: d.log,
	}, nil
}
