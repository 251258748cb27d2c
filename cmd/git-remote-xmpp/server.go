package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/statefile"
	"git-remote-xmpp/internal/xmppserver"
	"github.com/spf13/pflag"
)

// serverFlags are the flags of server.
type serverFlags struct {
	listen       string
	domain       string
	accounts     []string
	accountsFile string
}

// serverCommand runs the embedded XMPP server until ctx is done.
func serverCommand(ctx context.Context, std stdio, args []string) error {
	var f serverFlags
	rest, err := parseFlags("server", std, args, func(flags *pflag.FlagSet) {
		flags.StringVar(&f.listen, "listen", "", "host:port to listen on, as 127.0.0.1:5222")
		flags.StringVar(&f.domain, "domain", "localhost", "what follows the @ of an account")
		flags.StringArrayVar(&f.accounts, "account", nil, "user:password; may be given again. Others on this machine can see it: see --accounts-file")
		flags.StringVar(&f.accountsFile, "accounts-file", "", "a file with a user:password on each line, mode 0600")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("server: unexpected argument %q", rest[0])
	}
	cfg, err := f.config()
	if err != nil {
		return err
	}
	dirs, err := config.FindDirs(nil)
	if err != nil {
		return err
	}
	if err := dirs.MakeData(); err != nil {
		return err
	}
	certificate, file, err := serverCertificate(ctx, dirs.Data, cfg.Domain)
	if err != nil {
		return fmt.Errorf("certificate for %s: %w", cfg.Domain, err)
	}
	cfg.Certificate, cfg.Log = &certificate, slog.New(slog.NewTextHandler(std.err, nil))
	return runServer(ctx, std, cfg, file)
}

// runServer says where the server is and what to trust, and serves.
func runServer(ctx context.Context, std stdio, cfg xmppserver.Config, certificateFile string) error {
	server, err := xmppserver.Listen(ctx, cfg)
	var network *net.OpError
	if err != nil && !errors.As(err, &network) {
		return usagef("server: %v", err) // an account or the domain
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(std.err, "git-remote-xmpp: clients trust this server by: git config --global xmpp.sslCAInfo %s\n", certificateFile)
	if _, err := fmt.Fprintf(std.out, "ready %s\n", server.Addr()); err != nil {
		return errors.Join(err, server.Close())
	}
	return server.Serve(ctx)
}

// config is what the flags ask for.
func (f serverFlags) config() (xmppserver.Config, error) {
	cfg := xmppserver.Config{Addr: f.listen, Domain: strings.ToLower(f.domain), Accounts: make(map[string]string)}
	if f.listen == "" {
		return cfg, usagef("server: --listen host:port is missing")
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		return cfg, usagef("server: --listen %q is not host:port", f.listen)
	}
	if !isHostName(cfg.Domain) {
		return cfg, usagef("server: --domain %q is not a host name", f.domain)
	}
	accounts := f.accounts
	if f.accountsFile != "" {
		more, err := readAccounts(f.accountsFile)
		if err != nil {
			return cfg, usagef("server: --accounts-file: %v", err)
		}
		accounts = append(accounts, more...)
	}
	for i, account := range accounts {
		user, password, _ := strings.Cut(account, ":")
		if user == "" || password == "" {
			return cfg, usagef("server: account %d is not user:password", i+1) // not shown: it may be a password
		}
		if _, twice := cfg.Accounts[user]; twice {
			return cfg, usagef("server: account %q is given twice", user)
		}
		cfg.Accounts[user] = password
	}
	if len(cfg.Accounts) == 0 {
		return cfg, usagef("server: no accounts: give --account user:password or --accounts-file")
	}
	return cfg, nil
}

// isHostName tells whether s, in lower case, is made as names in DNS and IPv4 addresses are: nothing else can be
// in a certificate, and it names a file.
func isHostName(s string) bool {
	const maxNameBytes = 253 // RFC 1035, 2.3.4
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || label[0] == '-' || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(s) <= maxNameBytes
}

// readAccounts reads a file of accounts, one on a line, that nobody else may read. Empty lines don't count.
func readAccounts(path string) ([]string, error) {
	text, err := statefile.ReadPrivate(path)
	if err != nil {
		return nil, err
	}
	var accounts []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			accounts = append(accounts, line)
		}
	}
	return accounts, nil
}
