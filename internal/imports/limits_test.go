package imports

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// limitedPackages are those of which every constant named max… is in the table of limits.
var limitedPackages = []string{"internal/peers", "internal/serve", "protocol", "transport"}

// TestLimitsAreDocumented compares the table of limits in doc/security.md with the constants that it names.
func TestLimitsAreDocumented(t *testing.T) {
	_, table, found := strings.Cut(securityDoc(t), "| limit |")
	if !found {
		t.Fatal("doc/security.md has no table of limits")
	}
	c := constants{root: root, packages: map[string]map[string]ast.Expr{}}
	documented := map[string]bool{}
	row := regexp.MustCompile("^\\| [^|]+ \\| ([^|]+) \\| `([a-z/]+)\\.([A-Za-z]+)`[^|]* \\| [^|]+ \\|$")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, line := range strings.Split(strings.TrimSpace(table), "\n")[2:] { // below the head
		cell := row.FindStringSubmatch(line)
		if cell == nil {
			t.Errorf("not limit, value, `package.constant` and what happens beyond: %s", line)
			continue
		}
		documented[cell[2]+"."+cell[3]] = true
		got, err := c.value(cell[2], cell[3])
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if want, err := quantity(cell[1]); err != nil || !constant.Compare(got, token.EQL, want) {
			t.Errorf("%s.%s is %s there and %s in doc/security.md (%s, %v)", cell[2], cell[3], got, cell[1], want, err)
		}
	}
	if len(documented) < 40 {
		t.Errorf("only %d limits were found", len(documented))
	}
	for _, pkg := range limitedPackages {
		for _, name := range slices.Sorted(maps.Keys(c.load(pkg))) {
			if strings.HasPrefix(strings.ToLower(name), "max") && !documented[pkg+"."+name] {
				t.Errorf("doc/security.md has no row for `%s.%s`", pkg, name)
			}
		}
	}
}

// TestQuantities: what the table may say, and that a slip in it is seen.
func TestQuantities(t *testing.T) {
	for text, want := range map[string]int64{
		"64": 64, "1,000": 1000, "64 KiB": 64 << 10, "1.5 MiB": 3 << 19, "60 s": 60e9, "5 min": 300e9, "366 d": 366 * 24 * 3600e9, "500 ms": 5e8, "1 PiB": 1 << 50,
	} {
		if got, err := quantity(text); err != nil || !constant.Compare(got, token.EQL, constant.MakeInt64(want)) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "many", "64 kB", "s", "1 s 5"} {
		if got, err := quantity(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// units are what numbers in the table are of; times are in nanoseconds, as in package time.
var units = map[string]int64{
	"": 1, "bytes": 1, "characters": 1, "KiB": 1 << 10, "MiB": 1 << 20, "PiB": 1 << 50, "ms": 1e6, "s": 1e9, "min": 60e9, "h": 3600e9, "d": 24 * 3600e9,
}

// quantity reads a number with a unit.
func quantity(text string) (constant.Value, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(text), " ")
	factor, ok := units[unit]
	n, err := strconv.ParseFloat(strings.ReplaceAll(number, ",", ""), 64)
	if err != nil || !ok {
		return nil, fmt.Errorf("%q is no number with a unit", text)
	}
	return constant.ToInt(constant.MakeFloat64(n * float64(factor))), nil
}

// constants are those of this module's packages, as far as they are written down: numbers, and what is made of them and of others.
type constants struct {
	root     string
	packages map[string]map[string]ast.Expr
	failed   error
}

// load returns the constants of a package.
func (c *constants) load(pkg string) map[string]ast.Expr {
	if known, ok := c.packages[pkg]; ok {
		return known
	}
	found := map[string]ast.Expr{}
	c.packages[pkg] = found
	files, err := filepath.Glob(filepath.Join(c.root, filepath.FromSlash(pkg), "*.go"))
	if err != nil || len(files) == 0 {
		c.failed = fmt.Errorf("no package %s: %w", pkg, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			c.failed = err
			continue
		}
		for _, decl := range parsed.Decls {
			if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.CONST {
				for _, spec := range d.Specs {
					v := spec.(*ast.ValueSpec)
					for i, name := range v.Names {
						if i < len(v.Values) {
							found[name.Name] = v.Values[i]
						}
					}
				}
			}
		}
	}
	return found
}

func (c *constants) value(pkg, name string) (constant.Value, error) {
	e := c.load(pkg)[name]
	if e == nil {
		return nil, fmt.Errorf("no constant %s in %s: %w", name, pkg, c.failed)
	}
	return c.eval(pkg, e)
}

func (c *constants) eval(pkg string, e ast.Expr) (constant.Value, error) {
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0), nil
	case *ast.ParenExpr:
		return c.eval(pkg, e.X)
	case *ast.Ident:
		return c.value(pkg, e.Name)
	case *ast.SelectorExpr:
		from := e.X.(*ast.Ident).Name
		if from == "time" {
			return constant.MakeInt64(map[string]int64{"Microsecond": 1e3, "Millisecond": 1e6, "Second": 1e9, "Minute": 60e9, "Hour": 3600e9}[e.Sel.Name]), nil
		}
		for _, folder := range []string{"", "internal"} {
			if _, err := os.Stat(filepath.Join(c.root, folder, from)); err == nil {
				return c.value(path.Join(folder, from), e.Sel.Name)
			}
		}
	case *ast.BinaryExpr:
		x, err := c.eval(pkg, e.X)
		if err != nil {
			return nil, err
		}
		y, err := c.eval(pkg, e.Y)
		if err != nil {
			return nil, err
		}
		switch e.Op {
		case token.SHL:
			n, _ := constant.Uint64Val(y)
			return constant.Shift(x, e.Op, uint(n)), nil
		case token.QUO:
			return constant.BinaryOp(x, token.QUO_ASSIGN, y), nil // of integers
		}
		return constant.BinaryOp(x, e.Op, y), nil
	}
	return nil, fmt.Errorf("%T isn't evaluated here", e)
}
