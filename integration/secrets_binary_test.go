package integration

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// testPassword finds a password in the source of a test: account and password, or password and its value.
var testPassword = regexp.MustCompile(`"(?:alice|bob|carol|dave|mallory|user)":\s*"([^"\\]{8,})"|(?:[Pp]assword|--account)(?:\w*:|\s*=|",)\s*"(?:\w+:)?([^"\\: ]{8,})"`)

// pemBlock is a key or certificate that is complete.
var pemBlock = regexp.MustCompile(`-----BEGIN [A-Z ]+-----\r?\n[A-Za-z0-9+/=\r\n]{40,}-----END`)

// The program has nothing in it that is for tests: no package of theirs, no password, key or certificate.
func TestProgramHasNoTestSecrets(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "../cmd/git-remote-xmpp")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "git-remote-xmpp/transport") {
		t.Fatalf("go list says %q", deps)
	}
	for _, dep := range deps {
		if strings.HasPrefix(dep, "git-remote-xmpp/integration") || strings.Contains(dep, "testserver") || dep == "testing" || strings.HasPrefix(dep, "testing/") || strings.HasPrefix(dep, "git-remote-xmpp/") && strings.HasSuffix(dep, "test") {
			t.Errorf("the program is made of %s, too", dep)
		}
	}
	program, err := os.ReadFile(filepath.Join(binDir, "git-remote-xmpp"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(program, []byte("git-remote-xmpp/transport")) {
		t.Fatal("the program doesn't name its packages: nothing can be said of it")
	}
	if bytes.Contains(program, []byte("git-remote-xmpp/integration")) {
		t.Error("the program names a package of tests")
	}
	if found := pemBlock.Find(program); found != nil {
		t.Errorf("the program holds %s", found)
	}
	passwords := testPasswords(t)
	t.Logf("%q", passwords)
	if len(passwords) < 4 || !slices.Contains(passwords, "alice-secret") {
		t.Errorf("the passwords that tests use are %q", passwords)
	}
	for _, password := range passwords {
		if bytes.Contains(program, []byte(password)) {
			t.Errorf("the program holds the password %q", password)
		}
	}
}

// testPasswords are those in the sources of tests and test servers.
func testPasswords(t *testing.T) (passwords []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") && !strings.HasPrefix(path, filepath.Join("..", "integration")+string(filepath.Separator)) {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testPassword.FindAllStringSubmatch(string(text), -1) {
			passwords = append(passwords, m[1]+m[2])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(passwords)
	return slices.Compact(passwords)
}
