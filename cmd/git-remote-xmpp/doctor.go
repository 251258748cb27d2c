package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/doctor"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/transport"
	"github.com/spf13/pflag"
)

// doctorCommand checks the way from the settings to the peers' refs, and changes nothing.
func doctorCommand(ctx context.Context, std stdio, args []string) error {
	var asJSON bool
	rest, err := parseFlags("doctor", std, args, func(flags *pflag.FlagSet) {
		flags.BoolVar(&asJSON, "json", false, "print JSON")
	})
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("doctor: unexpected argument %q", rest[1])
	}
	local, err := repo.FromEnv(ctx)
	if err != nil && !errors.Is(err, repo.ErrNotRepository) {
		return err
	}
	remotes, err := doctorRemotes(ctx, local, rest)
	if err != nil {
		return err
	}
	steps, err := examine(ctx, std, local, remotes)
	if err != nil {
		return err
	}
	if asJSON {
		err = steps.PrintJSON(std.out, software())
	} else {
		err = steps.Print(std.out)
	}
	if n := steps.Failures(); err == nil && n > 0 {
		err = fmt.Errorf("steps that failed: %d of %d", n, len(steps))
	}
	return err
}

// A namedRemote is a remote of the repository, or a URL.
type namedRemote struct {
	config.Remote
	name string // for people
}

// doctorRemotes are what the user names, or the remotes of the repository that we stand in, if there is one.
func doctorRemotes(ctx context.Context, local *repo.Repo, args []string) (list []namedRemote, err error) {
	var named []repo.Remote
	switch {
	case len(args) > 0:
		named = []repo.Remote{{URL: args[0]}}
	case local != nil:
		if named, err = local.Remotes(ctx); err != nil {
			return nil, err
		}
	}
	for _, r := range named {
		remote, err := config.ParseRemote(r.URL)
		if err != nil {
			return nil, err
		}
		name := displayName(remote)
		if r.Name != "" {
			name = r.Name + ", " + name
		}
		list = append(list, namedRemote{remote, name})
	}
	return list, nil
}

// examine looks at one thing after the other, as far as there is a way.
func examine(ctx context.Context, std stdio, local *repo.Repo, remotes []namedRemote) (steps doctor.Steps, err error) {
	s := &setup{}
	if err := s.readSettings(ctx, std, &steps); err != nil {
		return steps, nil //nolint:nilerr // it is a step that failed
	}
	defer s.close()
	checkGit(ctx, &steps)
	if local != nil && len(remotes) > 0 {
		checkLFS(ctx, local, &steps)
	}
	if !s.checkKey(&steps) {
		return steps, nil
	}
	resource, err := runResource()
	if err != nil {
		return steps, err
	}
	cfg, err := s.transportConfig(ctx, resource)
	var token bool
	if err == nil {
		token, err = passwordOrToken(ctx, &cfg)
	}
	var endpoint *transport.Endpoint
	if s.checkPassword(&steps, token, err) {
		var more doctor.Steps
		more, endpoint = doctor.Server(ctx, cfg)
		steps = append(steps, more...)
	}
	if endpoint != nil {
		defer endpoint.Close()
	}
	for _, remote := range remotes {
		steps = append(steps, s.remoteDoctor(remote, endpoint).Check(ctx)...)
	}
	return steps, nil
}

// readSettings reads the settings, and says which count.
func (s *setup) readSettings(ctx context.Context, std stdio, steps *doctor.Steps) (err error) {
	const name = "settings"
	if s.settings, err = config.Load(ctx, "", nil); err == nil {
		err = s.settings.RequireAccount()
	}
	if err == nil {
		s.dirs, err = config.FindDirs(nil)
	}
	if err == nil {
		err = s.openTrace(std)
	}
	if err != nil {
		steps.Fail(name, err, "")
		return err
	}
	from := "xmpp.account"
	if os.Getenv("GIT_XMPP_ACCOUNT") != "" {
		from = "GIT_XMPP_ACCOUNT"
	}
	steps.OK(name, "account %s (%s), xmpp.directPath %s", s.settings.Account, from, s.settings.DirectPath)
	return nil
}

// checkGit looks at the git that we run.
func checkGit(ctx context.Context, steps *doctor.Steps) {
	version, err := repo.Version(ctx)
	if err == nil {
		err = repo.CheckVersion(ctx)
	}
	if err != nil {
		steps.Fail("git", err, "")
		return
	}
	steps.OK("git", "%s", version)
}

// checkLFS looks whether a push would run Git LFS without our transfer agent: it would take our URLs for those of a server of its own.
func checkLFS(ctx context.Context, local *repo.Repo, steps *doctor.Steps) {
	const name = "lfs"
	used, err := local.PushesLFS(ctx)
	if !used && err == nil {
		return
	}
	missing := ""
	for _, s := range lfsSettings[:len(lfsSettings)-1] { // the last one is for URLs that begin otherwise
		var value string
		if err == nil {
			value, err = local.Setting(ctx, s[0])
		}
		if value == "" && missing == "" {
			missing = s[0]
		}
	}
	switch {
	case err != nil:
		steps.Fail(name, err, "")
	case missing != "":
		steps.Fail(name, fmt.Errorf("git push runs Git LFS here, which can't read xmpp:: URLs: %s isn't set", missing), "git-remote-xmpp lfs setup")
	default:
		steps.OK(name, "git push has this program carry objects of Git LFS")
	}
}

// checkKey opens what is known of us and of peers. Where there is no key yet one is made for this run only.
func (s *setup) checkKey(steps *doctor.Steps) bool {
	const name = "key"
	s.store = peers.Open(s.dirs.Data)
	err := s.store.Check()
	if err == nil {
		s.identity, err = peers.FindIdentity(s.dirs.Data, os.Getenv(identityVar))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, private, _ := ed25519.GenerateKey(nil) // never fails
		key, _ := peers.KeyOf(private.Public().(ed25519.PublicKey))
		s.identity = &peers.Identity{Private: private, Key: key}
		steps.None(name, "there is none yet: it is made when it is needed")
	case err != nil:
		steps.Fail(name, err, "")
		return false
	default:
		steps.OK(name, "%s", s.identity.Key)
	}
	s.store.Self = s.identity.Key
	return true
}

// passwordOrToken has the login made by the password, so that it is checked, or by a token of the server's if there is none.
func passwordOrToken(ctx context.Context, cfg *transport.Config) (byToken bool, err error) {
	if cfg.Password, err = cfg.AskPassword(ctx); err == nil {
		cfg.Tokens = nil
		return false, nil
	}
	if token, tokenErr := cfg.Tokens.Token(); tokenErr == nil && token.Secret != "" && errors.Is(err, config.ErrNoPassword) {
		return true, nil
	}
	return false, err
}

// checkPassword says whether there is one; err is why the settings aren't complete.
func (s *setup) checkPassword(steps *doctor.Steps, byToken bool, err error) bool {
	const name = "password"
	switch {
	case err != nil:
		steps.Fail(name, err, "")
		return false
	case byToken:
		steps.None(name, "there is none: the server gave a token for logins without")
	case os.Getenv("GIT_XMPP_PASSWORD") != "":
		steps.OK(name, "of GIT_XMPP_PASSWORD")
	default:
		steps.OK(name, "of git's credential helpers")
	}
	return true
}

// remoteDoctor checks a remote, over an endpoint if there is one.
func (s *setup) remoteDoctor(r namedRemote, endpoint *transport.Endpoint) doctor.Remote {
	remote := doctor.Remote{
		Name: r.name, Repository: r.Repo, Invite: r.Invite, Direct: s.settings.DirectPath != config.UseNever, PathText: pathWords,
		Options: client.Options{
			Store: s.store, Account: s.settings.Account, Address: r.Address, Software: software(), Resource: s.identity.Resource,
		},
	}
	if endpoint != nil { // an interface with nothing in it isn't nil
		remote.Options.Dialer = endpoint
	}
	return remote
}
