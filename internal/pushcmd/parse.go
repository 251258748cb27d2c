package pushcmd

import (
	"strings"

	"github.com/spf13/pflag"
)

// A Push is what a `git push` was asked for.
type Push struct {
	// Refspecs as on the command line; those of --delete begin with a colon, and `tag <name>` is one refspec. None: git's
	// configuration decides.
	Refspecs []string
	Force    bool // --force, or --mirror
	Same     bool // --all, --branches or --mirror: every branch goes to the one of its name
	Tags     bool // --tags: without a refspec no branch is pushed
	// LeaseAll is --force-with-lease for all refs, Leases for these ones, by the names given.
	LeaseAll bool
	Leases   []string
}

// switches are the options of git-push(1) that take no value and don't matter here; each has a --no- form.
var switches = []string{
	"verbose:v", "quiet:q", "dry-run:n", "porcelain", "thin", "set-upstream:u", "progress", "prune", "verify",
	"follow-tags", "atomic", "ipv4:4", "ipv6:6", "force-if-includes",
}

// valued are the options with a value that don't matter.
var valued = []string{"repo", "receive-pack", "exec", "recurse-submodules", "push-option:o"}

// parse reads the arguments of git push. It returns nil where git itself would refuse them.
func parse(args []string) *Push {
	p := &Push{}
	flags := pflag.NewFlagSet("push", pflag.ContinueOnError)
	remove := p.define(flags)
	flags.SetNormalizeFunc(abbreviations(flags))
	if err := flags.Parse(args); err != nil {
		return nil
	}
	if flags.NArg() > 1 {
		p.take(flags.Args()[1:], *remove)
	}
	return p
}

// define tells the flags what git push knows.
func (p *Push) define(flags *pflag.FlagSet) (remove *bool) {
	yes := func(name, short string, to ...*bool) {
		set := func(v bool) func(string) error {
			return func(string) error {
				for _, b := range to {
					*b = v
				}
				return nil
			}
		}
		flags.BoolFuncP(name, short, "", set(true))
		flags.BoolFunc("no-"+name, "", set(false))
	}
	for _, s := range switches {
		name, short, _ := strings.Cut(s, ":")
		yes(name, short)
	}
	for _, s := range valued {
		name, short, _ := strings.Cut(s, ":")
		flags.StringArrayP(name, short, nil, "")
		flags.BoolFunc("no-"+name, "", func(string) error { return nil })
	}
	flags.String("signed", "", "")
	flags.Lookup("signed").NoOptDefVal = "true"
	flags.BoolFunc("no-signed", "", func(string) error { return nil })
	remove = new(bool)
	yes("delete", "d", remove)
	yes("force", "f", &p.Force)
	yes("all", "", &p.Same)
	yes("branches", "", &p.Same)
	yes("mirror", "", &p.Same, &p.Force)
	yes("tags", "", &p.Tags)
	flags.Func("force-with-lease", "", p.lease)
	flags.Lookup("force-with-lease").NoOptDefVal = "*" // no ref is called that
	flags.BoolFunc("no-force-with-lease", "", func(string) error {
		p.LeaseAll, p.Leases = false, nil
		return nil
	})
	return remove
}

func (p *Push) lease(value string) error {
	if value == "*" {
		p.LeaseAll = true
		return nil
	}
	ref, _, _ := strings.Cut(value, ":")
	p.Leases = append(p.Leases, ref)
	return nil
}

// take takes in the arguments behind the remote.
func (p *Push) take(refspecs []string, remove bool) {
	for i := 0; i < len(refspecs); i++ {
		spec := refspecs[i]
		switch {
		case remove:
			spec = ":" + spec
		case spec == "tag" && i+1 < len(refspecs):
			i++
			spec = "refs/tags/" + refspecs[i]
		}
		p.Refspecs = append(p.Refspecs, spec)
	}
}

// abbreviations lets an option be shortened as long as it is unique, as git does (gitcli(7)).
func abbreviations(flags *pflag.FlagSet) func(*pflag.FlagSet, string) pflag.NormalizedName {
	var names []string
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		full := name
		for _, n := range names {
			switch {
			case n == name:
				return pflag.NormalizedName(name)
			case strings.HasPrefix(n, name) && full != name:
				return pflag.NormalizedName(name) // ambiguous: unknown
			case strings.HasPrefix(n, name):
				full = n
			}
		}
		return pflag.NormalizedName(full)
	}
}
