package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"git-remote-xmpp/internal/completion"
	"github.com/spf13/pflag"
)

// isGitXMPP tells whether the program was started as git-xmpp, which is never git's helper.
func isGitXMPP(argv0 string) bool {
	name := strings.ToLower(filepath.Base(argv0))
	return strings.TrimSuffix(name, ".exe") == "git-xmpp"
}

// calledAs is what people have written to start the program.
func calledAs() string {
	if isGitXMPP(os.Args[0]) {
		return "git xmpp"
	}
	return programName
}

// findCommand finds a command by its name.
func findCommand(name string) (command, error) {
	list := commands()
	i := slices.IndexFunc(list, func(c command) bool { return c.name == name })
	if i < 0 {
		return command{}, usagef("unknown command %q: see %s help", name, calledAs())
	}
	return list[i], nil
}

// helpCommand lists the commands, or has one say how it is used.
func helpCommand(ctx context.Context, std stdio, args []string) error {
	rest, err := parseFlags("help", std, args, func(*pflag.FlagSet) {})
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("help: unexpected argument %q", rest[1])
	}
	if len(rest) == 1 {
		c, err := findCommand(rest[0])
		if err != nil {
			return err
		}
		return c.run(ctx, std, []string{"--help"})
	}
	w := tabwriter.NewWriter(std.out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "usage: %s COMMAND\n\npush to, fetch from and clone git repositories over XMPP\n\n"+
		"  git clone 'xmpp::user@host/repo?invite=...'; git push, git fetch: as with any remote\n\ncommands:\n", calledAs())
	for _, c := range commands() {
		fmt.Fprintf(w, "  %s\t%s\n", c.name, c.summary)
	}
	fmt.Fprintf(w, "\n%s help COMMAND says more of one, and git help remote-xmpp all.\n", calledAs())
	return w.Flush()
}

// printHelp says how a command is used; flags are those that it has defined.
func printHelp(out io.Writer, flags *pflag.FlagSet) {
	if sink, ok := out.(*flagSink); ok {
		sink.flags = flags
		return
	}
	c, err := findCommand(flags.Name())
	if err != nil {
		return // a command parses its flags under its own name
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	values := make(map[string]string)
	for i, form := range completion.Forms(c.usage) {
		before := "usage:"
		if i > 0 {
			before = "   or:"
		}
		fmt.Fprintf(w, "%s %s\n", before, strings.TrimSpace(calledAs()+" "+c.name+" "+form.Usage))
		for _, f := range form.Flags {
			values[f.Name] = cmp.Or(values[f.Name], f.Value)
		}
	}
	fmt.Fprintf(w, "\n%s\n", c.summary)
	if flags.HasFlags() {
		fmt.Fprintln(w)
	}
	flags.VisitAll(func(f *pflag.Flag) {
		fmt.Fprintf(w, "  %s\t%s\n", strings.TrimSpace("--"+f.Name+" "+values["--"+f.Name]), f.Usage)
	})
	_ = w.Flush() // help that can't be written is lost
}

// A flagSink is written to by a command that is asked for help, and gets its flags instead.
type flagSink struct {
	io.Writer
	flags *pflag.FlagSet
}

// flagsOf are the flags of a command, which defines them before it does anything.
func flagsOf(ctx context.Context, c command) (*pflag.FlagSet, error) {
	sink := &flagSink{Writer: io.Discard}
	err := c.run(ctx, stdio{in: strings.NewReader(""), out: sink, err: io.Discard}, []string{"--help"})
	if sink.flags == nil || !errors.Is(err, pflag.ErrHelp) {
		return nil, fmt.Errorf("%s --help does more than help: %w", c.name, err)
	}
	return sink.flags, nil
}
