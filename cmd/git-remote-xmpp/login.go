package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/transport"
	"github.com/spf13/pflag"
)

// maxLoginTries is how often a password is asked for until it is right.
const maxLoginTries = 3

// loginCommand checks an account with its server, has its password kept, and sets it for this user.
func loginCommand(ctx context.Context, std stdio, args []string) error {
	var tokenOnly bool
	rest, err := parseFlags("login", std, args, func(flags *pflag.FlagSet) {
		flags.BoolVar(&tokenOnly, "token-only", false, "keep a token of the server's, and no password")
	})
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("login: unexpected argument %q", rest[1])
	}
	s, err := load(ctx, std)
	if err != nil {
		return err
	}
	defer s.close()
	in := &signIn{setup: s, terminal: s.findTerminal(std)}
	if err := in.chooseAccount(ctx, strings.Join(rest, "")); err != nil {
		return err
	}
	if err := in.check(ctx, std); err != nil {
		return err
	}
	lines, err := in.keep(ctx, tokenOnly)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, strings.Join(append(in.seen(), lines...), "\n"))
	return err
}

// A signIn is a login that is tried out for later ones.
type signIn struct {
	*setup
	terminal *terminal // nil: there is nobody to ask
	password string
	progress transport.Progress
	tokens   *freshTokens
}

// chooseAccount takes the account that is named, or set, or that the user says.
func (in *signIn) chooseAccount(ctx context.Context, named string) (err error) {
	if named == "" {
		if in.settings.RequireAccount() == nil {
			return nil
		}
		if in.terminal == nil {
			return usagef("login: no account: name it: git-remote-xmpp login you@example.org")
		}
		if named, err = in.terminal.ask(ctx, "XMPP account (you@example.org): "); err != nil {
			return err
		}
	}
	in.settings, err = in.settings.WithAccount(strings.TrimSpace(named))
	return err
}

// check logs in by the password. Who is asked for it may mistype it.
func (in *signIn) check(ctx context.Context, std stdio) error {
	for try := 1; ; try++ {
		err := in.askPassword(ctx)
		if err == nil {
			err = in.tryPassword(ctx)
		}
		if !errors.Is(err, transport.ErrPassword) {
			return err
		}
		if kept, keptErr := config.KeptPassword(ctx, in.settings); keptErr == nil && kept == in.password {
			err = errors.Join(err, config.ForgetPassword(ctx, in.settings, in.password))
		}
		if in.terminal == nil || os.Getenv("GIT_XMPP_PASSWORD") != "" || try == maxLoginTries {
			return err
		}
		fmt.Fprintf(std.err, "the server says: wrong password, or no such account\n")
	}
}

// askPassword takes the password from GIT_XMPP_PASSWORD, or else from the terminal: what is kept may be what is to be replaced.
func (in *signIn) askPassword(ctx context.Context) (err error) {
	switch {
	case os.Getenv("GIT_XMPP_PASSWORD") != "":
		in.password, err = config.Password(ctx, in.settings)
	case in.terminal == nil:
		err = fmt.Errorf("%s: there is no terminal to ask on: %w", in.settings.Account, config.ErrNoPassword)
	default:
		in.password, err = in.terminal.askSecret(ctx, fmt.Sprintf("password of %s: ", in.settings.Account))
		if err == nil && in.password == "" {
			err = fmt.Errorf("%s: %w", in.settings.Account, config.ErrNoPassword)
		}
	}
	return err
}

func (in *signIn) tryPassword(ctx context.Context) error {
	resource, err := runResource()
	if err != nil {
		return err
	}
	cfg, err := in.transportConfig(ctx, resource)
	if err != nil {
		return err
	}
	in.tokens = &freshTokens{Tokens: cfg.Tokens}
	cfg.Password, cfg.AskPassword, cfg.Tokens, cfg.Progress, cfg.Direct = in.password, nil, in.tokens, &in.progress, nil
	endpoint, err := transport.Start(ctx, cfg)
	if err == nil {
		endpoint.Close()
	}
	return err
}

// keep has the password or the token kept, and the account used from now on. It returns what there is to say about that.
func (in *signIn) keep(ctx context.Context, tokenOnly bool) (lines []string, err error) {
	token, err := in.tokens.last()
	domain := in.settings.Account.Domainpart()
	switch {
	case err != nil && tokenOnly:
		return nil, fmt.Errorf("the token of %s can't be kept: %w", domain, err)
	case token.Secret == "" && tokenOnly:
		return nil, fmt.Errorf("%s gives no tokens for logins without a password (XEP-0484): log in without --token-only", domain)
	case tokenOnly:
		err = config.ForgetPassword(ctx, in.settings, in.password)
		lines = append(lines, "the password isn't kept: a token of the server's lets this user in until "+day(token.Expires)+", and each login renews it")
	default:
		lines, err = in.keepPassword(ctx, token)
	}
	if err != nil {
		return nil, err
	}
	account := in.settings.Account.String()
	if err := config.SetGlobal(ctx, "xmpp.account", account); err != nil {
		return nil, err
	}
	lines = append(lines, "xmpp.account is "+account+" for this user (git config --global)")
	if now, err := config.Load(ctx, "", nil); err == nil && !now.Account.Equal(in.settings.Account) {
		lines = append(lines, "but "+now.Account.String()+" goes before it here: by GIT_XMPP_ACCOUNT, git -c, or this repository's config")
	}
	return append(lines, "next: git clone with an invite that you were given, or in a repository of yours git-remote-xmpp serve, and git-remote-xmpp invite"), nil
}

// keepPassword gives the password to git's credential helpers, and looks whether they have it.
func (in *signIn) keepPassword(ctx context.Context, token transport.Token) (lines []string, err error) {
	if err := config.StorePassword(ctx, in.settings, in.password); err != nil {
		return nil, err
	}
	kept, err := config.KeptPassword(ctx, in.settings)
	switch {
	case err == nil && kept == in.password:
		lines = append(lines, "the password is kept by git's credential helpers")
	case err == nil || errors.Is(err, config.ErrNoPassword):
		lines = append(lines, "the password isn't kept, for git has no credential helper that does it: who logs in is asked for it, and what has no terminal fails",
			"  have the system's keyring keep it: git config --global credential.helper libsecret (or osxkeychain, manager)",
			"  or a file, in clear text: git config --global credential.helper store; then log in again")
	default:
		return nil, err
	}
	if token.Secret != "" {
		lines = append(lines, "the server gave a token: without the password it lets this user in until "+day(token.Expires)+", and each login renews it")
	}
	return lines, nil
}

// seen says how the login went.
func (in *signIn) seen() []string {
	login := in.progress.Login()
	return []string{fmt.Sprintf("logged in as %s by %s, at %s", in.settings.Account, login.Mechanism, login.Address)}
}

func day(t time.Time) string { return t.Local().Format(time.DateOnly) }

// freshTokens has a login made by the password, as if there were no token, and notes the one that it brings.
type freshTokens struct {
	transport.Tokens

	mu    sync.Mutex
	given transport.Token
	err   error
}

// Token is none.
func (*freshTokens) Token() (transport.Token, error) { return transport.Token{}, nil }

// Keep keeps a token.
func (t *freshTokens) Keep(given, by transport.Token) error {
	err := t.Tokens.Keep(given, by)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err = err; err == nil {
		t.given = given
	}
	return err
}

// last is the token that was kept last; without a secret if there is none.
func (t *freshTokens) last() (transport.Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.given, t.err
}
