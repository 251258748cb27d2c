package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/logins"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/transport"
	"github.com/spf13/pflag"
)

const (
	programName = "git-remote-xmpp"
	identityVar = "GIT_XMPP_IDENTITY"
)

// version is set by the linker for releases.
var version = ""

// programVersion is the version of the release, or of the module that was built.
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

func software() string { return programName + " " + programVersion() }

// setup is what most commands need: settings, identity and peers.
type setup struct {
	settings config.Settings
	dirs     config.Dirs
	identity *peers.Identity
	store    *peers.Store
	password *passwordSource
	log      *slog.Logger
	logFile  *os.File
}

// load reads the settings and opens the identity and the peers, which are made at first use, and not before the
// settings pass the checks.
func load(ctx context.Context, std stdio, checks ...func(config.Settings) error) (*setup, error) {
	s := &setup{log: slog.New(slog.DiscardHandler)}
	var err error
	if s.settings, err = config.Load(ctx, "", nil); err != nil {
		return nil, err
	}
	for _, check := range checks {
		if err := check(s.settings); err != nil {
			return nil, err
		}
	}
	if s.dirs, err = config.FindDirs(nil); err != nil {
		return nil, err
	}
	if err := s.dirs.MakeData(); err != nil {
		return nil, err
	}
	given := os.Getenv(identityVar)
	if s.identity, err = peers.LoadIdentity(s.dirs.Data, given); err != nil {
		if given != "" {
			err = &usageError{err.Error()}
		}
		return nil, err
	}
	s.store = peers.Open(s.dirs.Data)
	s.store.Self = s.identity.Key
	if err := s.store.Check(); err != nil {
		return nil, err
	}
	return s, s.openTrace(std)
}

// openTrace makes the log of GIT_XMPP_TRACE.
func (s *setup) openTrace(std stdio) error {
	trace := s.settings.Trace
	if !trace.Enabled {
		return nil
	}
	out := std.err
	if trace.File != "" {
		f, err := os.OpenFile(trace.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("GIT_XMPP_TRACE: %w", err)
		}
		s.logFile, out = f, f
	}
	s.log = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return nil
}

func (s *setup) close() {
	if s.logFile != nil {
		_ = s.logFile.Close() // a log: nothing depends on it
	}
}

// transportConfig is what an endpoint needs to log in as the account. The password comes from the environment or git's
// credential helpers when it is needed.
func (s *setup) transportConfig(ctx context.Context, resource string) (transport.Config, error) {
	cfg := transport.Config{
		Account: s.settings.Account, Resource: resource, Identity: s.identity.Private, Timeout: s.settings.Timeout,
		Software: programName, Version: programVersion(), Status: programName, Log: s.log,
	}
	if err := s.settings.RequireAccount(); err != nil {
		return cfg, err
	}
	cfg.Record = logins.Open(s.dirs.Data, s.settings.Account.String())
	cfg.Tokens = tokenStore{logins.OpenTokens(s.dirs.Data, s.settings.Account.String())}
	s.password = &passwordSource{settings: s.settings}
	cfg.AskPassword = s.password.ask
	if cfg.Server = s.settings.Server.HostPort; s.settings.Server.DirectTLS {
		cfg.Server = "tls://" + cfg.Server
	}
	cfg.Direct, cfg.InbandLimit = s.direct(ctx), s.settings.InbandLimit
	return cfg, s.trust(&cfg)
}

// trust has the certificates of xmpp.sslCAInfo count: for the XMPP server no others, for a TURN server, which may be somebody else's, those of the system, too.
func (s *setup) trust(cfg *transport.Config) error {
	if s.settings.CAFile == "" {
		return nil
	}
	pem, err := os.ReadFile(s.settings.CAFile)
	if err != nil {
		return &usageError{fmt.Sprintf("xmpp.sslCAInfo: %v", err)}
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return usagef("xmpp.sslCAInfo: no certificate in %s", s.settings.CAFile)
	}
	if cfg.Direct == nil {
		return nil
	}
	if cfg.Direct.RootCAs, err = x509.SystemCertPool(); err != nil { // there is none
		cfg.Direct.RootCAs = x509.NewCertPool()
	}
	cfg.Direct.RootCAs.AppendCertsFromPEM(pem)
	return nil
}

// start logs in and tells git's credential helpers whether the password was right.
func (s *setup) start(ctx context.Context, cfg transport.Config) (*transport.Endpoint, error) {
	s.log.Debug("log in", "account", cfg.Account.String(), "server", cfg.Server)
	e, err := transport.Start(ctx, cfg)
	if err == nil {
		s.log.Debug("logged in", "jid", e.JID().String())
	}
	password := s.password.started()
	switch {
	case password == "": // it wasn't needed
	case errors.Is(err, transport.ErrPassword):
		err = errors.Join(err, config.RejectPassword(ctx, s.settings, password))
	case err == nil:
		if approveErr := config.ApprovePassword(ctx, s.settings, password); approveErr != nil {
			s.log.Warn("password not stored", "err", approveErr)
		}
	}
	return e, err
}

// parseFlags parses the arguments of a subcommand. A subcommand does nothing before: --help, completion and the manual's tests rely on that.
func parseFlags(name string, std stdio, args []string, define func(*pflag.FlagSet)) ([]string, error) {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() { printHelp(std.out, flags) }
	define(flags)
	err := flags.Parse(args)
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		err = usagef("%s: %v", name, err)
	}
	return flags.Args(), err
}
