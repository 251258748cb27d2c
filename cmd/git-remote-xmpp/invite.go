package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/refname"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/statefile"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

func inviteCommand(ctx context.Context, std stdio, args []string) error {
	var read bool
	var label string
	var refs *string
	var expires time.Duration
	rest, err := parseFlags("invite", std, args, func(flags *pflag.FlagSet) {
		flags.BoolVar(&read, "read", false, "let fetch and clone, not push")
		flags.Func("refs", refsUsage, func(text string) error {
			refs = &text
			return nil
		})
		flags.StringVar(&label, "label", "", "what to call the peer that comes with it")
		flags.DurationVar(&expires, "expires", 24*time.Hour, "how long it can be used")
	})
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("invite: one repository at a time")
	}
	right, err := inviteRight(read, refs)
	if err != nil {
		return err
	}
	s, err := load(ctx, std, config.Settings.RequireAccount)
	if err != nil {
		return err
	}
	defer s.close()
	r, err := openArgument(ctx, rest)
	if err != nil {
		return err
	}
	id, err := r.UUID(ctx)
	if err != nil {
		return err
	}
	served, err := s.readServed()
	if err != nil {
		return err
	}
	// Only a serve knows which names mean one repository; the UUID always does.
	inURL, ok := served.NameOf(r, id)
	request := peers.InviteRequest{RepoUUID: id, RepoName: inURL, Access: right.Access, Refs: right.Refs, Label: label, Expires: expires}
	if !ok {
		inURL, request.RepoName = id, serve.DefaultName(r, id)
	}
	return s.printInvite(ctx, std, request, inURL)
}

// inviteRight is what an invite grants.
func inviteRight(read bool, refs *string) (peers.Right, error) {
	switch {
	case read && refs != nil:
		return peers.Right{}, usagef("invite: --refs is about write, --read is less")
	case read:
		return peers.Right{Access: peers.Read}, nil
	case refs == nil:
		return peers.Right{Access: peers.Write}, nil
	case *refs == "": // as of an unset variable: not to be taken for all
		return peers.Right{}, usagef("invite: --refs without a pattern: leave it out to let write to all")
	}
	limited, err := parseRefs(*refs)
	if err != nil {
		return peers.Right{}, usagef("invite: %v", err)
	}
	return peers.Right{Access: peers.Write, Refs: limited}, nil
}

// printInvite makes an invite and prints it in a URL, where the repository has a name of its own.
func (s *setup) printInvite(ctx context.Context, std stdio, request peers.InviteRequest, inURL string) error {
	resource, err := peers.ResourceID(s.identity.Resource)
	if err != nil {
		return err
	}
	secret, err := s.store.NewInvite(ctx, request)
	if errors.Is(err, peers.ErrBadInviteRequest) || (errors.Is(err, refname.ErrPattern) || errors.Is(err, peers.ErrBadLabel)) && !errors.Is(err, statefile.ErrCorrupt) {
		return usagef("invite: %v", err)
	}
	if err != nil {
		return err
	}
	token := peers.Token{Key: s.identity.Key, Resource: resource, Secret: secret}
	url := config.Remote{Address: s.settings.Account, Repo: inURL, Invite: token.String()}
	if _, err := fmt.Fprintln(std.out, url); err != nil {
		return err
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		// Without the folder's name git makes one with the invite in it.
		fmt.Fprintf(std.err, "it works once, until %s: git clone '%s' %s\n", time.Now().Add(request.Expires).Format(time.DateTime), url, path.Base(request.RepoName))
	}
	return nil
}

// openArgument opens the repository that an argument names, or the one that we stand in.
func openArgument(ctx context.Context, args []string) (*repo.Repo, error) {
	if len(args) == 0 {
		r, err := repo.FromEnv(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w: stand in one, or name one", err)
		}
		return r, nil
	}
	r, err := repo.Open(ctx, args[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	return r, nil
}
