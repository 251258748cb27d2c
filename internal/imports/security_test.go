package imports

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is this module's folder.
const root = "../.."

func securityDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "doc", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestClaimsHaveTests checks that every test that doc/security.md names is there, and that every row of its tables of what somebody can do names one.
func TestClaimsHaveTests(t *testing.T) {
	doc, tests := securityDoc(t), tests(t)
	names := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)[^`]*`").FindAllStringSubmatch(doc, -1)
	if len(names) < 50 {
		t.Errorf("doc/security.md names only %d tests", len(names))
	}
	for _, name := range names {
		if !tests[name[1]] {
			t.Errorf("doc/security.md names %s, which isn't there", name[1])
		}
	}
	limits := strings.Index(doc, "| limit |")
	for line := range strings.Lines(doc[:limits]) {
		if claim := strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| |"); claim && !strings.Contains(line, "`Test") {
			t.Errorf("a claim without a test: %s", line)
		}
	}
}

// tests are the tests of this module.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range declared.FindAllStringSubmatch(string(text), -1) {
			found[name[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
