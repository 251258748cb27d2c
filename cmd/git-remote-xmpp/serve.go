package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/metrics"
	"git-remote-xmpp/internal/notify"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/service"
	"github.com/gofrs/flock"
	"github.com/spf13/pflag"
)

// serveFlags are the flags of serve.
type serveFlags struct {
	basePath  string
	exportAll bool
	name      string
	metrics   string
	log       logFlags
	install   installFlags
}

func serveCommand(ctx context.Context, std stdio, args []string) error {
	var f serveFlags
	paths, err := parseFlags("serve", std, args, func(flags *pflag.FlagSet) {
		flags.StringVar(&f.basePath, "base-path", "", "serve the repositories under this folder, by their relative paths")
		flags.BoolVar(&f.exportAll, "export-all", false, "with --base-path: every repository, not only those with xmpp.export=true")
		flags.StringVar(&f.metrics, "metrics", "", "answer Prometheus at this loopback address, such as 127.0.0.1:9469")
		f.log.define(flags)
		f.install.define(flags)
		flags.StringVar(&f.name, "name", "", "name to serve the repository under")
	})
	if err != nil {
		return err
	}
	if err := f.check(paths); err != nil {
		return err
	}
	if err := repo.CheckVersion(ctx); err != nil {
		return err
	}
	if f.install.asked() {
		return f.installService(ctx, std, paths)
	}
	s, err := load(ctx, std, config.Settings.RequireAccount)
	if err != nil {
		return err
	}
	defer s.close()
	catalog, err := f.catalog(ctx, paths)
	if err != nil {
		return err
	}
	s.logTo(std.err, f.log)
	measure, stopMeasuring, err := s.metrics(ctx, f.metrics)
	if err != nil {
		return err
	}
	defer stopMeasuring()
	return s.serve(ctx, "serving git repositories", catalog, func(ctx context.Context, server *serving) error {
		if err := s.writeServed(catalog.Served(ctx)); err != nil {
			return err
		}
		measure(server)
		if _, err := fmt.Fprintf(std.out, "ready %s\n", server.Endpoint.JID()); err != nil {
			return err
		}
		service.Report(ctx, service.Program{Alive: server.Alive, Status: server.Summary, Log: s.log})
		return nil
	})
}

// serving is what a serve is made of.
type serving struct {
	*serve.Server
	pool *client.Pool
}

// errServed ends a serve that was only wanted for a while.
var errServed = errors.New("served enough")

// serve serves until ctx is done, or ready fails, which is called when peers can reach us.
func (s *setup) serve(ctx context.Context, presence string, catalog *serve.Catalog, ready func(context.Context, *serving) error) error {
	unlock, err := lockServe(s)
	if err != nil {
		return err
	}
	defer unlock()
	hooks := repo.HooksDir(s.dirs.Data)
	if err := hooks.Tidy(); err != nil {
		s.log.Warn("what was left behind stays", "err", err)
	}
	cfg, err := s.transportConfig(ctx, s.identity.Resource)
	if err != nil {
		return err
	}
	cfg.Serve, cfg.Status = true, presence
	cfg.Admit, cfg.AdmitKnock = serve.Admit(s.store, s.log), serve.AdmitKnock(s.store)
	server := &serve.Server{
		Store: s.store, Catalog: catalog, Hooks: hooks,
		Resource: s.identity.Resource, Software: software(), Timeout: s.settings.Timeout, Log: s.log,
		Pushes: s.settings.MaxPushes, Fetches: s.settings.MaxFetches,
	}
	server.Sync = s.syncer(server)
	cfg.Presence, cfg.Linked = server.Sync.Presence, server.Sync.Linked
	if server.Endpoint, err = s.start(ctx, cfg); err != nil {
		return err
	}
	defer server.Endpoint.Close()
	notifier := notify.New(server.Endpoint.Say, s.log)
	defer notifier.Close()
	server.Notify = notifier.Tell
	pool := s.pool(server.Endpoint)
	defer pool.Close()
	stopAgent := s.startAgent(ctx, server, pool)
	defer stopAgent()
	if err := server.Sync.Start(ctx, pool, server.Endpoint.Greet); err != nil {
		return err
	}
	defer server.Sync.Close()

	ctx, stop := context.WithCancel(ctx)
	var failure error
	var task sync.WaitGroup
	task.Go(func() {
		if failure = ready(ctx, &serving{server, pool}); failure != nil {
			stop()
		}
	})
	err = server.Run(ctx)
	stop()
	task.Wait()
	if failure != nil && !errors.Is(failure, errServed) {
		return failure
	}
	return err
}

// check refuses flags and arguments that don't go together.
func (f serveFlags) check(paths []string) error {
	switch {
	case f.basePath != "" && (len(paths) > 0 || f.name != ""):
		return usagef("serve: --base-path goes with neither a repository nor --name")
	case f.exportAll && f.basePath == "":
		return usagef("serve: --export-all goes with --base-path")
	case f.metrics != "" && metrics.CheckAddress(f.metrics) != nil:
		return usagef("serve: --metrics: %v", metrics.CheckAddress(f.metrics))
	case f.name != "" && len(paths) > 1:
		return usagef("serve: --name goes with one repository")
	case f.name != "" && !serve.ValidName(f.name):
		return usagef("serve: --name %q: not a plain relative name", f.name)
	}
	return errors.Join(f.log.check(), f.install.check())
}

// catalog is what the flags and arguments ask to serve.
func (f serveFlags) catalog(ctx context.Context, paths []string) (*serve.Catalog, error) {
	if f.basePath != "" {
		return serve.NewBaseCatalog(f.basePath, f.exportAll)
	}
	if len(paths) == 0 {
		here, err := openArgument(ctx, nil)
		if err != nil {
			return nil, err
		}
		paths = []string{here.Dir}
	}
	return serve.NewCatalog(ctx, paths, f.name)
}

// lockServe keeps a second serve of the same installation away: both would log in under one address.
func lockServe(s *setup) (unlock func(), err error) {
	lock := flock.New(filepath.Join(s.dirs.Data, "serve.lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errors.New("another serve runs with the keys in " + s.dirs.Data + ": stop it, and name all repositories to one")
	}
	return func() { _ = lock.Unlock() }, nil
}
