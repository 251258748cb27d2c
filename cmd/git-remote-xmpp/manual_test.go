package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/internal/completion"
	"git-remote-xmpp/internal/manual"
	"github.com/spf13/pflag"
)

// readManual reads git-remote-xmpp(1).
func readManual(t *testing.T) []manual.Section {
	t.Helper()
	sections, err := manual.Read("../../doc/man/git-remote-xmpp.1.md")
	if err != nil {
		t.Fatal(err)
	}
	return sections
}

// mustBeSame complains about what is in one list and not in the other.
func mustBeSame(t *testing.T, what string, program, page []string) {
	t.Helper()
	for _, name := range program {
		if !slices.Contains(page, name) {
			t.Errorf("%s: %s of the program is not in doc/man", what, name)
		}
	}
	for _, name := range page {
		if !slices.Contains(program, name) {
			t.Errorf("%s: %s in doc/man is not the program's", what, name)
		}
	}
}

// The manual has each command with its usage and its flags, and no others; and so have usage lines.
func TestManualCommands(t *testing.T) {
	var names, pages []string
	sections := manual.Within(readManual(t), "COMMANDS")
	for _, s := range sections {
		pages = append(pages, s.Title)
	}
	for _, c := range commands() {
		names = append(names, c.name)
		page, _ := manual.Find(sections, c.name)
		var usage, flags, described []string
		for _, form := range completion.Forms(c.usage) {
			usage = append(usage, strings.TrimSpace("git-remote-xmpp "+c.name+" "+form.Usage))
			for _, f := range form.Flags {
				flags = append(flags, strings.TrimSpace(f.Name+" "+f.Value))
			}
		}
		mustBeSame(t, c.name+", usage", usage, page.Usage)
		for _, e := range page.Entries {
			described = append(described, e.Terms...)
		}
		mustBeSame(t, c.name+", flags", flags, described)
		mustBeSame(t, c.name+", names of flags in the usage line", defined(t, c), namesOf(flags))
	}
	mustBeSame(t, "commands", names, pages)
}

// defined are the flags that a command has, those with a value with a =.
func defined(t *testing.T, c command) (names []string) {
	flags, err := flagsOf(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if flags.Name() != c.name {
		t.Errorf("%s parses its flags as %s", c.name, flags.Name())
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Usage == "" {
			t.Errorf("%s --%s: nothing says what it is for", c.name, f.Name)
		}
		name := "--" + f.Name
		if f.NoOptDefVal == "" {
			name += "="
		}
		names = append(names, name)
	})
	return names
}

// namesOf are flags as defined has them.
func namesOf(flags []string) (names []string) {
	for _, f := range flags {
		name, _, hasValue := strings.Cut(f, " ")
		if hasValue {
			name += "="
		}
		names = append(names, name)
	}
	return names
}

// The exit statuses are those of the constants, and exitStatus gives no others.
func TestManualExitStatus(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var statuses []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "exit") && len(spec.Values) == 1 {
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				statuses = append(statuses, literal.Value)
			}
		}
		return true
	})
	if len(statuses) == 0 {
		t.Fatal("exit.go has no exit statuses")
	}
	mustBeSame(t, "exit statuses", statuses, termsOf(t, "EXIT STATUS"))
}

// termsOf are all terms of sections of the manual.
func termsOf(t *testing.T, titles ...string) (terms []string) {
	t.Helper()
	sections := readManual(t)
	for _, title := range titles {
		s, ok := manual.Find(sections, title)
		if !ok {
			t.Fatalf("the manual has no section %s", title)
		}
		for _, e := range s.Entries {
			terms = append(terms, e.Terms...)
		}
	}
	return terms
}

// privateVariables are for processes of this program that others of it start, and what is everybody's.
var privateVariables = []string{
	"GIT_XMPP_LIFELINE", "GIT_XMPP_HOOKS", "GIT_XMPP_INTEGRATE", "GIT_XMPP_REFS", "GIT_XMPP_RECORD", "GIT_XMPP_SYNC_PEER", "GIT_XMPP_SYNC_MERGES", "GIT_XMPP_SERVE_KEY",
	"PATH", "GIT_DIR",
}

var variableInSource = regexp.MustCompile(`"(GIT_XMPP_[A-Z_]*[A-Z])|(?i:getenv|lookupenv)\("([A-Za-z_]+)"`)

// The variables are those that the source names.
func TestManualEnvironment(t *testing.T) {
	var used []string
	read := func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range variableInSource.FindAllStringSubmatch(string(text), -1) {
			if name := match[1] + match[2]; !slices.Contains(privateVariables, name) {
				used = append(used, name)
			}
		}
		return err
	}
	for _, dir := range []string{"cmd", "internal", "transport", "protocol", "chunk"} {
		if err := filepath.WalkDir(filepath.Join("../..", dir), read); err != nil {
			t.Fatal(err)
		}
	}
	mustBeSame(t, "variables", used, termsOf(t, "ENVIRONMENT", "HOOKS"))
}

// Each command says how it is used, and succeeds in it, by both of the ways to ask.
func TestHelpOfCommands(t *testing.T) {
	for _, c := range commands() {
		for _, args := range [][]string{{"help", c.name}, {c.name, "--help"}, {c.name, "-h"}} {
			var out, errs strings.Builder
			err := run(t.Context(), stdio{strings.NewReader(""), &out, &errs}, args)
			want := strings.TrimSpace(fmt.Sprintf("usage: git-remote-xmpp %s %s", c.name, completion.Forms(c.usage)[0].Usage)) + "\n"
			if exitStatus(err) != exitDone || !strings.HasPrefix(out.String(), want) || !strings.Contains(out.String(), "\n\n"+c.summary+"\n") || errs.String() != "" {
				t.Errorf("%v: %v, %q, %q", args, err, out.String(), errs.String())
			}
		}
	}
}
