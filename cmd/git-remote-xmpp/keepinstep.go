package main

import (
	"context"
	"time"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/transport"
)

// refreshEvery is how often new repositories are looked for under a base path.
const refreshEvery = 30 * time.Second

// syncer keeps the repositories of a server in step; it is to be started.
func (s *setup) syncer(server *serve.Server) *syncer.Syncer {
	var refresh time.Duration
	if server.Catalog.Grows() {
		refresh = refreshEvery
	}
	return syncer.New(syncer.Config{
		Key: s.identity.Key, Store: s.store, Dir: s.dirs.Data, Hooks: repo.HooksDir(s.dirs.Data), Log: s.log, Timeout: s.settings.Timeout,
		Turn: server.Turn, RefreshEvery: refresh,
		Repositories: func(ctx context.Context) ([]syncer.Repository, error) {
			entries, err := server.Catalog.Entries(ctx)
			var list []syncer.Repository
			for _, e := range entries {
				list = append(list, syncer.Repository{Repo: e.Repo, UUID: e.UUID, Name: e.Name, Settings: e.Settings})
			}
			return list, err
		},
	})
}

// pool makes the connections of a serve: for helpers of this home, and to keep repositories in step.
func (s *setup) pool(endpoint *transport.Endpoint) *client.Pool {
	return client.NewPool(client.Options{
		Dialer: endpoint, Store: s.store, Account: s.settings.Account, Software: software(), Resource: s.identity.Resource,
	})
}
