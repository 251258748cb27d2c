package main

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/statusview"
	"git-remote-xmpp/transport"
	"git-remote-xmpp/transport/direct"
)

// direct says how packets may go past the server, as xmpp.directPath has it; nil for not at all.
func (s *setup) direct(ctx context.Context) *transport.Direct {
	if s.settings.DirectPath == config.UseNever {
		return nil
	}
	d := &transport.Direct{Allow: s.mayKnowUs, RelayOnly: s.settings.DirectPath == config.UseRelay}
	for _, server := range s.settings.ICEServers {
		one := direct.Server{TURN: server.TURN, TLS: server.TLS, TCP: server.TCP, Host: server.Host, Port: server.Port, Username: server.User}
		if server.TURN {
			var err error
			if one.Password, err = config.TURNPassword(ctx, s.settings, server); err != nil {
				s.log.Warn("turn server not used", "err", err)
				continue
			}
		}
		d.Servers = append(d.Servers, one)
	}
	return d
}

// mayKnowUs tells whether a peer may know our addresses: we expect its key where it is, or it may do something here.
func (s *setup) mayKnowUs(key ed25519.PublicKey) bool {
	k, ok := peers.KeyOf(key)
	if !ok {
		return false
	}
	peer, err := s.store.ByKey(k)
	if err != nil {
		return false
	}
	for _, access := range peer.Access {
		if access >= peers.Read {
			return true
		}
	}
	return peer.Pinned
}

// way is a line that says how packets go, for git's -v; empty if that isn't known.
func (d *dialer) way() string {
	path, ok := d.path()
	if !ok {
		return ""
	}
	return fmt.Sprintf("packets go %s\n", pathWords(path))
}

func pathWords(path transport.Path) string {
	var c serve.Connection
	c.SetPath(path)
	return statusview.Path(c)
}
