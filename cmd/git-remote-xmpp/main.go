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
	"github.com/spf13/pflag"
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
		{"login", "[--token-only] [user@host]", "check an account, have its password kept, and use it from now on", loginCommand},
		{"serve", "[--base-path DIR [--export-all]] [--name NAME] [--metrics ADDR] [--log-format text|json] [--log-level LEVEL] [--install | --uninstall] [--force] [REPO...]", "serve repositories to peers, or have the system do so", serveCommand},
		{"invite", "[--read | --refs PATTERNS] [--label TEXT] [--expires 24h] [REPO]", "print a one-time URL to clone or fetch with", inviteCommand},
		{"peers", "[--json] [REPO] | set KEY --access read|write|none [--refs PATTERNS] [--label TEXT] [REPO] | set KEY --label TEXT | remove KEY", "show and change who may do what", peersCommand},
		{"status", "[--once | --json]", "show what the serve of this home is doing, live on a terminal", statusCommand},
		{"doctor", "[--json] [URL]", "check the way to the server, and to the peers of a URL or of the repository's remotes, step by step", doctorCommand},
		{"sync", "[REMOTE...]", "have the peers of the repository's remotes push to us what is new, and offer them what we have", syncCommand},
		{"lfs", "setup", "have Git LFS carry objects to and from xmpp:: remotes, for this user", lfsCommand},
		{"server", "--listen ADDR [--domain NAME] [--account user:password]... [--accounts-file FILE]", "run the embedded XMPP server", serverCommand},
		{"demo", "", "show push, fetch and clone without any account", demoCommand},
		{"completion", "bash|zsh|fish", "print a script with which a shell completes commands, flags, keys and remotes", completionCommand},
		{"version", "", "print the version", versionCommand},
		{"help", "[COMMAND]", "list the commands, or say how one is used", helpCommand},
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
		return usagef("no command: see %s help", calledAs())
	}
	name := args[0]
	if name == "--help" || name == "-h" {
		name = "help"
	}
	if !isGitXMPP(os.Args[0]) && isHelperCall(args) {
		return helperCommand(ctx, std, args[0], args[1])
	}
	c, err := findCommand(name)
	if err != nil {
		return err
	}
	return c.run(ctx, std, args[1:])
}

// isHelperCall tells a call by git, <remote> <url>, from a subcommand. A remote may be called "doctor": git says of which repository it is one, and leaves
// xmpp:: out of the URL.
func isHelperCall(args []string) bool {
	if len(args) != 2 {
		return false
	}
	_, err := config.ParseRemote(args[1])
	if slices.ContainsFunc(commands(), func(c command) bool { return c.name == args[0] }) {
		return err == nil && os.Getenv("GIT_DIR") != "" && !strings.HasPrefix(args[1], "xmpp::")
	}
	return err == nil || !strings.HasPrefix(args[0], "-")
}

func versionCommand(_ context.Context, std stdio, args []string) error {
	rest, err := parseFlags("version", std, args, func(*pflag.FlagSet) {})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("version: unexpected argument %q", rest[0])
	}
	_, err = fmt.Fprintln(std.out, software())
	return err
}
