// Command git-remote-xmpp pushes to, fetches from and clones git repositories over XMPP.
//
// git runs it as a remote helper for URLs that begin with xmpp::, and under the names of hooks;
// people run its subcommands. This package joins the parts and knows how to say what went wrong; what
// there is to know of git, of peers and of XMPP is in the packages that it uses.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/repo"
)

// exitGrace is how long a command has to clean up after a signal.
const exitGrace = 12 * time.Second

// A command is what one run of the program does.
type command struct {
	name    string
	usage   string // arguments
	summary string
	run     func(ctx context.Context, std stdio, args []string) error
}

// stdio are the standard files of a command.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

func commands() []command {
	return []command{
		{"serve", "[--base-path DIR [--export-all]] [--name NAME] [REPO...]", "serve repositories to peers", serveCommand},
		{"invite", "[--read | --refs PATTERNS] [--label TEXT] [--expires 24h] [REPO]", "print a one-time URL to clone or fetch with", inviteCommand},
		{"peers", "[--json] [REPO] | set KEY --access read|write|none [--refs PATTERNS] [REPO] | remove KEY", "show and change who may do what", peersCommand},
		{"status", "[--json]", "show what the serve of this home is doing", statusCommand},
		{"doctor", "[--json] [URL]", "check the way to the server, and to the peers of a URL or of the repository's remotes, step by step", doctorCommand},
		{"sync", "[REMOTE...]", "have the peers of the repository's remotes push to us what is new, and offer them what we have", syncCommand},
		{"lfs", "setup", "have Git LFS carry objects to and from xmpp:: remotes, for this user", lfsCommand},
		{"server", "--listen ADDR --account user:password ...", "run the embedded XMPP server", serverCommand},
		{"demo", "", "show push, fetch and clone without any account", demoCommand},
		{"version", "", "print the version", versionCommand},
		{"help", "", "print this help", helpCommand},
	}
}

func main() {
	if name, ok := repo.IsHook(os.Args[0], os.Getenv); ok {
		os.Exit(repo.RunHook(context.Background(), name, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	// git that goes away must not kill us before we have told the peer.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()

	result := make(chan error, 1)
	go func() { result <- run(ctx, stdio{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]) }()
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		select {
		case err = <-result:
		case <-time.After(exitGrace): // a read from a terminal or pipe can't be called off
			err = context.Canceled
		}
	}
	report(os.Stderr, err)
	os.Exit(exitStatus(err))
}

// run finds out what the arguments ask for and does it.
func run(ctx context.Context, std stdio, args []string) error {
	if len(args) == 0 {
		return usagef("no command: see git-remote-xmpp help")
	}
	name := args[0]
	if name == "--help" || name == "-h" {
		name = "help"
	}
	if isHelperCall(args) {
		return helperCommand(ctx, std, args[0], args[1])
	}
	list := commands()
	i := slices.IndexFunc(list, func(c command) bool { return c.name == name })
	if i < 0 {
		return usagef("unknown command %q: see git-remote-xmpp help", args[0])
	}
	return list[i].run(ctx, std, args[1:])
}

// isHelperCall tells a call by git, <remote> <url>, from a subcommand: a remote may be called "serve".
func isHelperCall(args []string) bool {
	if len(args) != 2 {
		return false
	}
	if _, err := config.ParseRemote(args[1]); err == nil {
		return true
	}
	isCommand := slices.ContainsFunc(commands(), func(c command) bool { return c.name == args[0] })
	return !isCommand && !strings.HasPrefix(args[0], "-")
}

func helpCommand(_ context.Context, std stdio, args []string) error {
	if len(args) > 0 {
		return usagef("help: unexpected argument %q", args[0])
	}
	fmt.Fprint(std.out, "git-remote-xmpp: push to, fetch from and clone git repositories over XMPP\n\n"+
		"  git clone 'xmpp::user@host/repo?invite=...'    git push, git fetch: as with any remote\n\n")
	for _, c := range commands() {
		fmt.Fprintf(std.out, "  git-remote-xmpp %s\n        %s\n", strings.TrimSpace(c.name+" "+c.usage), c.summary)
	}
	return nil
}

func versionCommand(_ context.Context, std stdio, args []string) error {
	if len(args) > 0 {
		return usagef("version: unexpected argument %q", args[0])
	}
	_, err := fmt.Fprintln(std.out, software())
	return err
}
