package pushcmd

import (
	"slices"
	"strings"
	"testing"
)

// Whatever a command line is: what a push is taken to be asked for was said in it.
func FuzzParse(f *testing.F) {
	for _, line := range []string{"git\x00push\x00origin\x00main", "git\x00-C\x00d\x00push\x00--force-with-lease=a:12\x00-fu\x00o\x00+a:b\x00tag\x00v1", "git-push\x00--mir\x00o", "git\x00push\x00--\x00-f", "GIT.EXE\x00push\x00-d\x00o\x00a", "git\x00push\x00-o"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		command, args, ok := gitCommand(strings.Split(line, "\x00"))
		if !ok || command != "push" || slices.ContainsFunc(args, asksForHelp) {
			return
		}
		p := parse(args)
		if p == nil {
			return
		}
		option := func(prefix string) bool {
			return slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, prefix) })
		}
		short := slices.ContainsFunc(args, func(a string) bool {
			return strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Contains(a, "f")
		})
		if p.Force && !short && !option("--fo") && !option("--m") || (p.LeaseAll || len(p.Leases) > 0) && !option("--force-w") || p.Same && !option("--a") && !option("--b") && !option("--m") || p.Tags && !option("--ta") {
			t.Fatalf("%q: %+v", args, p)
		}
		for _, spec := range p.Refspecs {
			if !slices.Contains(args, spec) && !slices.Contains(args, strings.TrimPrefix(spec, ":")) && !slices.Contains(args, strings.TrimPrefix(spec, "refs/tags/")) {
				t.Fatalf("%q: nobody named %q", args, spec)
			}
		}
	})
}

// asksForHelp tells an argument with which git push only shows its options.
func asksForHelp(arg string) bool {
	return strings.HasPrefix(arg, "--h") || strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "h")
}
