package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// namedTest finds the tests that doc/git-support.md names: `TestX/group/scene` of this package, `internal/repo.TestX` of another.
var namedTest = regexp.MustCompile("`(?:([a-z/]+)\\.)?(Test[^`]*)`")

// The tests that the document names are there.
func TestGitSupportDocument(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "doc", "git-support.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := namedTest.FindAllStringSubmatch(string(document), -1)
	if len(named) < 200 {
		t.Errorf("the document names %d tests as `TestX`, which can't be all", len(named))
	}
	packages := map[string]testFiles{"": readTestFiles(t, ".")}
	for _, m := range named {
		if packages[m[1]] == nil {
			packages[m[1]] = readTestFiles(t, filepath.Join("..", filepath.FromSlash(m[1])))
		}
		if missing := packages[m[1]].missing(m[2]); missing != "" {
			t.Errorf("%s: there is no %s", m[0], missing)
		}
	}
}

// testFiles are the declarations in a package's test files, for all systems, by their names; methods of the same name are together.
type testFiles map[string][]ast.Node

func readTestFiles(t *testing.T, dir string) testFiles {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s, error %v", dir, err)
	}
	declared := make(testFiles)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			declared.add(d)
		}
	}
	return declared
}

func (f testFiles) add(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		f[d.Name.Name] = append(f[d.Name.Name], d)
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if values, ok := s.(*ast.ValueSpec); ok {
				for _, name := range values.Names {
					f[name.Name] = append(f[name.Name], values)
				}
			}
		}
	}
}

// missing is the first part of a test's name that there isn't; "" if there are all.
func (f testFiles) missing(name string) string {
	parts := strings.Split(name, "/")
	if f[parts[0]] == nil {
		return parts[0]
	}
	names := make(map[string]bool)
	f.collect(parts[0], names, make(map[string]bool))
	for _, part := range parts[1:] {
		if !names[part] {
			return part
		}
	}
	return ""
}

// collect gathers what may be names of subtests from a declaration and all that it refers to: keys of maps,
// elements of lists, arguments of Run, constants, servers.
func (f testFiles) collect(declaration string, names, seen map[string]bool) {
	if seen[declaration] {
		return
	}
	seen[declaration] = true
	add := func(e ast.Expr) {
		if text, ok := e.(*ast.BasicLit); ok && text.Kind == token.STRING {
			if name, err := strconv.Unquote(text.Value); err == nil {
				names[strings.ReplaceAll(name, " ", "_")] = true // as go test writes them
			}
		}
	}
	for _, d := range f[declaration] {
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				add(n.Key)
			case *ast.CompositeLit:
				for _, e := range n.Elts {
					add(e)
				}
			case *ast.ValueSpec:
				for _, v := range n.Values {
					add(v)
				}
			case *ast.CallExpr:
				if called, ok := n.Fun.(*ast.SelectorExpr); ok && called.Sel.Name == "Run" && len(n.Args) > 0 {
					add(n.Args[0])
				}
			case *ast.Ident:
				f.collect(n.Name, names, seen)
				if n.Name == "OnEach" {
					for _, server := range testserver.XMPP {
						names[server] = true
					}
				}
			}
			return true
		})
	}
}
