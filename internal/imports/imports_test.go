// Package imports has no code: its test checks which package may know which.
package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// systems are the ones we build for: build tags hide files from the others.
var systems = []string{"linux", "darwin", "windows", "freebsd"}

// pkg is what `go list -json` says of a package; tests' imports are elsewhere.
type pkg struct {
	ImportPath string
	Imports    []string // direct
	Deps       []string // in any number of steps
}

func TestImports(t *testing.T) {
	for _, system := range systems {
		t.Run(system, func(t *testing.T) {
			for _, violation := range check(list(t, system)) {
				t.Error(violation)
			}
		})
	}
}

// TestRulesBite feeds the check what it must complain about.
func TestRulesBite(t *testing.T) {
	abs := func(name string) string { return module + "/" + name }
	var all []pkg
	for _, r := range rules {
		all = append(all, pkg{ImportPath: absolute(r.pkg)})
	}
	if got := check(all); len(got) != 0 {
		t.Fatalf("complaints about packages that import nothing: %v", got)
	}
	if got := check(all[1:]); len(got) != 1 {
		t.Errorf("a rule without a package: %v, want one complaint", got)
	}
	for _, bad := range []pkg{
		{ImportPath: abs("chunk"), Imports: []string{"net"}},
		{ImportPath: abs("chunk/sub"), Imports: []string{"net/http"}},
		{ImportPath: abs("protocol"), Imports: []string{abs("chunk")}},
		{ImportPath: abs("transport"), Imports: []string{"gosrc.io/xmpp"}},
		{ImportPath: abs("internal/helper"), Deps: []string{abs("transport")}},
		{ImportPath: abs("internal/repo"), Deps: []string{"github.com/quic-go/quic-go"}},
		{ImportPath: abs("internal/other"), Deps: []string{abs("transport"), abs("internal/helper")}},
		{ImportPath: abs("internal/other"), Imports: []string{abs("integration/testserver")}},
	} {
		if got := check(append(slices.Clone(all), bad)); len(got) != 1 {
			t.Errorf("%+v: %v, want one complaint", bad, got)
		}
	}
	for _, good := range []pkg{
		{ImportPath: abs("transport"), Imports: []string{"gosrc.io/xmpp/stanza", abs("chunk")}},
		{ImportPath: abs("cmd/x"), Deps: []string{abs("transport"), abs("internal/helper")}},
		{ImportPath: abs("integration"), Imports: []string{abs("integration/testserver")}},
		{ImportPath: abs("chunked"), Imports: []string{"net"}},
	} {
		if got := check(append(slices.Clone(all), good)); len(got) != 0 {
			t.Errorf("%+v: %v, want none", good, got)
		}
	}
}

// list returns this module's packages as one system sees them. A package that
// doesn't compile is listed nevertheless: that is for other checks to say.
func list(t *testing.T, system string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,Deps", module+"/...")
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, &stderr)
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

// check returns what is wrong, a line each.
func check(pkgs []pkg) (wrong []string) {
	for _, r := range rules {
		if !slices.ContainsFunc(pkgs, func(p pkg) bool { return p.ImportPath == absolute(r.pkg) }) {
			wrong = append(wrong, fmt.Sprintf("there is a rule for %s but no such package", r.pkg))
		}
		for _, p := range pkgs {
			if match(p.ImportPath, r.pkg+"/...") {
				wrong = append(wrong, r.check(p)...)
			}
		}
	}
	for _, p := range pkgs {
		if !matchAny(p.ImportPath, joiners) {
			wrong = append(wrong, checkJoins(p)...)
		}
	}
	return wrong
}

// check returns how p breaks the rule.
func (r rule) check(p pkg) (wrong []string) {
	complain := func(verb, dep string) {
		wrong = append(wrong, fmt.Sprintf("%s %s %s, but %s", p.ImportPath, verb, dep, r.why))
	}
	for _, dep := range p.Imports {
		foreign := match(dep, "./...") && !match(dep, r.pkg+"/...") && !slices.Contains(r.uses, anything)
		if foreign && !matchAny(dep, r.uses) || matchAny(dep, r.imports) {
			complain("imports", dep)
		}
	}
	for _, dep := range p.Deps {
		if matchAny(dep, r.reaches) {
			complain("depends on", dep)
		}
	}
	return wrong
}

// checkJoins returns what p joins though it is no joiner.
func checkJoins(p pkg) (wrong []string) {
	for _, dep := range p.Imports {
		if matchAny(dep, leaves) {
			wrong = append(wrong, fmt.Sprintf("%s imports %s, which is for the top alone", p.ImportPath, dep))
		}
	}
	for _, end := range ends {
		if !slices.ContainsFunc(p.Deps, func(dep string) bool { return match(dep, end) }) {
			return wrong
		}
	}
	return append(wrong, fmt.Sprintf("%s depends on %s, which only the top may join", p.ImportPath, strings.Join(ends, " and ")))
}

// matchAny says whether an import path matches one of the patterns.
func matchAny(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return match(path, pattern) })
}

// match says whether an import path is the one that pattern names, or lies
// below it if the pattern ends in "/...".
func match(path, pattern string) bool {
	tree, isTree := strings.CutSuffix(absolute(pattern), "/...")
	return path == tree || isTree && strings.HasPrefix(path, tree+"/")
}

// absolute turns "./x" into this module's import path of x.
func absolute(pattern string) string {
	if rest, ok := strings.CutPrefix(pattern, "./"); ok {
		return module + "/" + rest
	}
	return pattern
}
