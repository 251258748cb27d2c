package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"sync"

	"git-remote-xmpp/internal/agent"
	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// login is what a helper and serve must have in common for the one to use the connections of the other: all that decides who logs in, and how.
func (s *setup) login() string {
	server := s.settings.Server
	return fmt.Sprintf("%q", []string{
		s.settings.Account.String(), cmp.Or(os.Getenv(envServeKey), s.identity.Key.String()), s.dirs.Data,
		server.HostPort, fmt.Sprint(server.DirectTLS), s.settings.CAFile, string(s.settings.DirectPath), fmt.Sprint(s.settings.ICEServers), fmt.Sprint(s.settings.InbandLimit),
	})
}

// dialAgent opens a stream through serve, if that runs here. The error is an [agent.ErrDeclined] if it is ours to log in.
func (d *dialer) dialAgent(ctx context.Context, target client.Target) (tunnel.Stream, error) {
	switch {
	case d.settings.Agent == config.UseNever:
		return nil, fmt.Errorf("%w: xmpp.agent is never", agent.ErrDeclined)
	case d.remote.Invite != "": // its key isn't pinned yet
		return nil, fmt.Errorf("%w: there is an invite", agent.ErrDeclined)
	}
	stream, err := agent.Dial(ctx, d.dirs.Runtime, agent.Request{Login: d.login(), To: d.remote.Address, Key: target.Key.Public(), Timeout: d.settings.Timeout})
	if err != nil {
		return nil, err
	}
	d.agent = stream
	d.log.Debug("connected by the agent", "peer", stream.Peer())
	return stream, nil
}

// startAgent has serve work for helpers of this home, and tell its status. Without a socket they log in themselves, and that is all.
func (s *setup) startAgent(ctx context.Context, serving *serve.Server, pool *client.Pool) (stop func()) {
	if s.settings.Agent == config.UseNever {
		return func() {}
	}
	listener, err := s.agentSocket()
	if err != nil {
		s.log.Warn("git here logs in by itself", "err", err)
		return func() {}
	}
	s.hideSecrets()
	server := &agent.Server{
		Login: s.login(), Log: s.log, Status: s.statusOf(serving, pool), Sync: syncOf(serving),
		Ready: func(ctx context.Context) error {
			if !serving.Endpoint.Online(ctx) {
				return errors.New("it is offline")
			}
			return nil
		},
		Open: func(ctx context.Context, to jid.JID, key ed25519.PublicKey) (agent.Stream, string, error) {
			known, _ := peers.KeyOf(key) // one of another length isn't known
			stream, err := pool.Open(ctx, to, known)
			if err != nil {
				if errors.Is(err, client.ErrBusy) || errors.Is(err, transport.ErrServer) {
					err = fmt.Errorf("%w: %w", agent.ErrDeclined, err)
				}
				return nil, "", err
			}
			return stream, stream.Peer().String(), nil
		},
	}
	ctx, cancel := context.WithCancel(ctx)
	var task sync.WaitGroup
	task.Go(func() {
		if err := server.Serve(ctx, listener); err != nil {
			s.log.Warn("agent: socket not removed", "err", err)
		}
	})
	return func() {
		cancel()
		task.Wait()
	}
}

// envServeKey is the fingerprint of serve's key, for a helper that has none of its own because the key is in serve's environment.
const envServeKey = "GIT_XMPP_SERVE_KEY"

// hideSecrets takes the password and the key out of the environment of this process, in which the git push of repositories that are kept in step,
// its hooks and its helper would find them. The helper comes to the agent, and needs neither; what it has in the place of the key opens nothing.
func (s *setup) hideSecrets() {
	_ = os.Unsetenv("GIT_XMPP_PASSWORD") // the name is a good one: these don't fail
	if !peers.IsPrivateKey(os.Getenv(identityVar)) {
		return // none, or a file, which has the helper's rights to read it
	}
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails
	_ = os.Setenv(identityVar, base64.StdEncoding.EncodeToString(seed))
	_ = os.Setenv(envServeKey, s.identity.Key.String())
}

func (s *setup) agentSocket() (*agent.Listener, error) {
	if err := s.dirs.MakeRuntime(); err != nil {
		return nil, err
	}
	return agent.Listen(s.dirs.Runtime)
}
