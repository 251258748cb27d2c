package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"git-remote-xmpp/internal/agent"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/transport"
	"github.com/spf13/pflag"
)

// syncRequest is what the serve of this home is asked for.
type syncRequest struct {
	Repository string   `json:"repository"` // UUID
	Remotes    []string `json:"remotes"`    // names; empty: all
}

// syncCommand asks the clients of remotes to push to us: by way of the serve of this home, or it serves the repository itself meanwhile.
func syncCommand(ctx context.Context, std stdio, args []string) error {
	remotes, err := parseFlags("sync", std, args, func(*pflag.FlagSet) {})
	if err != nil {
		return err
	}
	r, err := openArgument(ctx, nil)
	if err != nil {
		return err
	}
	uuid, err := r.UUID(ctx)
	if err != nil {
		return err
	}
	s, err := load(ctx, std)
	if err != nil {
		return err
	}
	defer s.close()
	before, err := r.Tips(ctx)
	if err != nil {
		return err
	}
	outcomes, err := s.askSync(ctx, r, syncRequest{uuid, remotes})
	if err != nil {
		return err
	}
	after, err := r.Tips(ctx)
	if err != nil {
		return err
	}
	if err := printSync(std, outcomes, before, after); err != nil {
		return err
	}
	return syncFailure(outcomes)
}

// askSync has the serve of this home do it, or a short one of our own.
func (s *setup) askSync(ctx context.Context, r *repo.Repo, request syncRequest) (outcomes []syncer.Outcome, err error) {
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	answer, err := agent.Sync(ctx, s.dirs.Runtime, text)
	switch {
	case err == nil:
		err = json.Unmarshal(answer, &outcomes)
		return outcomes, err
	case errors.Is(err, agent.ErrDeclined):
		return nil, errors.New(strings.TrimPrefix(err.Error(), agent.ErrDeclined.Error()+": "))
	case !errors.Is(err, agent.ErrNone):
		return nil, fmt.Errorf("ask the serve of this home: %w", err)
	}
	if err := s.settings.RequireAccount(); err != nil {
		return nil, err
	}
	catalog, err := serve.NewCatalog(ctx, []string{r.Dir}, "")
	if err != nil {
		return nil, err
	}
	err = s.serve(ctx, "syncing git repositories", catalog, func(ctx context.Context, server *serving) (err error) {
		if outcomes, err = server.Sync.Sync(ctx, request.Repository, request.Remotes); err == nil {
			err = errServed
		}
		return err
	})
	return outcomes, err
}

// syncOf does what other commands of this home ask for.
func syncOf(server *serve.Server) func(context.Context, []byte) ([]byte, error) {
	return func(ctx context.Context, text []byte) ([]byte, error) {
		var request syncRequest
		if err := json.Unmarshal(text, &request); err != nil {
			return nil, err
		}
		outcomes, err := server.Sync.Sync(ctx, request.Repository, request.Remotes)
		if err != nil {
			return nil, err
		}
		return json.Marshal(outcomes)
	}
}

// printSync says with whom we are in sync, and what came.
func printSync(std stdio, outcomes []syncer.Outcome, before, after []repo.Tip) error {
	var text strings.Builder
	good := inSync(outcomes)
	for _, o := range outcomes {
		switch {
		case o.Error == "":
			fmt.Fprintf(&text, "%s: in sync with %s\n", o.Remote, o.Peer)
		case good[o.Remote]: // that another one isn't there is no failure
			fmt.Fprintf(std.err, "%s\n", notInSync(o))
		}
	}
	old := make(map[string]string)
	for _, t := range before {
		old[t.Ref] = t.ID
	}
	for _, t := range after {
		name := strings.TrimPrefix(strings.TrimPrefix(t.Ref, "refs/heads/"), "refs/tags/")
		switch was := old[t.Ref]; {
		case was == t.ID:
		case was != "":
			fmt.Fprintf(&text, "   %.7s..%.7s  %s\n", was, t.ID, name)
		case strings.HasPrefix(t.Ref, "refs/heads/"):
			fmt.Fprintf(&text, " * [new branch]      %s\n", name)
		case strings.HasPrefix(t.Ref, "refs/tags/"):
			fmt.Fprintf(&text, " * [new tag]         %s\n", name)
		default:
			fmt.Fprintf(&text, " * [diverged]        %s\n", name)
		}
	}
	_, err := io.WriteString(std.out, text.String())
	return err
}

// inSync are the remotes of which at least one peer is in sync with us.
func inSync(outcomes []syncer.Outcome) map[string]bool {
	good := make(map[string]bool)
	for _, o := range outcomes {
		good[o.Remote] = good[o.Remote] || o.Error == ""
	}
	return good
}

func notInSync(o syncer.Outcome) error {
	return fmt.Errorf("%s: not in sync with %s: %s", o.Remote, o.Peer, o.Error)
}

// syncFailure is an error if there is a remote of which no peer is in sync with us, or none at all.
func syncFailure(outcomes []syncer.Outcome) error {
	if len(outcomes) == 0 {
		return errors.New("there is nobody to be in sync with: no remote with a peer that is known, and no clone has announced itself")
	}
	good := inSync(outcomes)
	for _, o := range outcomes {
		if good[o.Remote] {
			continue
		}
		err := notInSync(o)
		switch {
		case o.Offline:
			err = &kindError{err, transport.ErrNobody}
		case o.Timeout:
			err = &kindError{err, tunnel.ErrTimeout}
		}
		return err
	}
	return nil
}

// A kindError is an error that counts as one of a kind, without its words.
type kindError struct {
	error
	kind error
}

func (e *kindError) Unwrap() error { return e.kind }
