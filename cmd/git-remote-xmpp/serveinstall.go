package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/service"
	"github.com/spf13/pflag"
)

// installFlags have serve run by the system.
type installFlags struct{ install, uninstall, force bool }

func (f *installFlags) define(flags *pflag.FlagSet) {
	flags.BoolVar(&f.install, "install", false, "don't serve, but have the system do so with these arguments whenever you are logged in")
	flags.BoolVar(&f.uninstall, "uninstall", false, "take that back")
	flags.BoolVar(&f.force, "force", false, "with these: also if its file was changed")
}

func (f installFlags) asked() bool { return f.install || f.uninstall }

func (f installFlags) check() error {
	switch {
	case f.install && f.uninstall:
		return usagef("serve: --install and --uninstall exclude each other")
	case f.force && !f.asked():
		return usagef("serve: --force goes with --install or --uninstall")
	}
	return nil
}

// installService makes serve with these flags and arguments a service of the user's, or takes it away.
func (f serveFlags) installService(ctx context.Context, std stdio, paths []string) error {
	at, err := servicePlace()
	if err != nil {
		return err
	}
	if f.install.uninstall {
		plan, err := service.Definition{}.Plan(at)
		if err != nil {
			return err
		}
		return plan.Uninstall(ctx, f.install.force, std.out)
	}
	if err := f.canInstall(ctx, std, at.Home); err != nil {
		return err
	}
	definition, err := f.definition(ctx, paths)
	if err != nil {
		return err
	}
	plan, err := definition.Plan(at)
	if err != nil {
		return err
	}
	return plan.Install(ctx, f.install.force, std.out)
}

// servicePlace is where services of this user are.
func servicePlace() (service.Place, error) {
	dirs, err := config.FindDirs(nil)
	if err != nil {
		return service.Place{}, err
	}
	if err := dirs.MakeData(); err != nil {
		return service.Place{}, err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return service.Place{}, err
	}
	at := service.Place{GOOS: runtime.GOOS, Home: home, Config: os.Getenv("XDG_CONFIG_HOME"), Data: dirs.Data, UID: os.Getuid()}
	if who, err := user.Current(); err == nil {
		at.User = who.Username
	}
	return at, nil
}

// canInstall checks what a service that has nothing of this environment would miss.
func (f serveFlags) canInstall(ctx context.Context, std stdio, home string) error {
	var plain, missing []string
	for _, kv := range os.Environ() {
		key, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(key, "GIT_") {
			plain = append(plain, kv)
		} else if strings.HasPrefix(key, "GIT_XMPP_") {
			missing = append(missing, key)
		}
	}
	settings, err := config.Load(ctx, home, plain)
	if err != nil {
		return err
	}
	if err := settings.RequireAccount(); err != nil {
		return fmt.Errorf("a service has only git's global settings: %w", err)
	}
	if len(missing) > 0 {
		fmt.Fprintf(std.err, "git-remote-xmpp: the service won't have %s of this environment; passwords come from git's credential helper there\n", strings.Join(missing, ", "))
	}
	return nil
}

// definition is the command line that serves the same from anywhere.
func (f serveFlags) definition(ctx context.Context, paths []string) (d service.Definition, err error) {
	if d.Program, err = ownPath(); err != nil {
		return d, err
	}
	if _, err := f.catalog(ctx, paths); err != nil { // whether there is something to serve
		return d, err
	}
	d.Args = []string{"serve"}
	for _, flag := range []struct{ name, value string }{{"--name", f.name}, {"--metrics", f.metrics}, {"--log-format", f.log.format}, {"--log-level", f.log.level}} {
		if flag.value != "" {
			d.Args = append(d.Args, flag.name+"="+flag.value)
		}
	}
	if f.exportAll {
		d.Args = append(d.Args, "--export-all")
	}
	served, err := f.served(ctx, paths)
	if err != nil {
		return d, err
	}
	d.Args = append(d.Args, served...)
	for _, name := range []string{"PATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME"} { // by which git, its helpers, its settings and our keys are found
		if value := os.Getenv(name); value != "" && runtime.GOOS != "windows" {
			d.Env = append(d.Env, name+"="+value)
		}
	}
	return d, nil
}

// served is what is to be served, from anywhere.
func (f serveFlags) served(ctx context.Context, paths []string) (args []string, err error) {
	if f.basePath != "" {
		base, err := filepath.Abs(f.basePath)
		return []string{"--base-path=" + base}, err
	}
	if len(paths) == 0 {
		here, err := openArgument(ctx, nil)
		if err != nil {
			return nil, err
		}
		return []string{"--", here.Dir}, nil
	}
	args = []string{"--"}
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		args = append(args, abs)
	}
	return args, nil
}

// ownPath is this program's path, as it is found in PATH: that one stays when a package is upgraded.
func ownPath() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	found, err := exec.LookPath(programName)
	if err != nil {
		return exe, nil //nolint:nilerr // it isn't there
	}
	a, errA := os.Stat(exe)
	b, errB := os.Stat(found)
	if found, err = filepath.Abs(found); err == nil && errors.Join(errA, errB) == nil && os.SameFile(a, b) {
		return found, nil
	}
	return exe, nil
}
