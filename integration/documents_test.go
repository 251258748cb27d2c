package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A document shows what people type.
type document struct {
	file   string
	server string
	users  map[string]string // accounts by the names of homes
}

var documents = []document{
	{"README.md", testserver.Prosody, map[string]string{"alice": "alice", "bob": "bob"}},
	{"doc/two-machines.md", testserver.Prosody, map[string]string{"laptop": "me", "desktop": "me"}},
	{"doc/friend.md", testserver.Ejabberd, map[string]string{"alice": "alice", "bob": "bob"}},
	{"doc/service.md", testserver.Prosody, map[string]string{"bob": "bob"}},
	{"doc/lfs.md", testserver.Ejabberd, map[string]string{"alice": "alice", "bob": "bob"}},
	{"doc/man/git-remote-xmpp.1.md", testserver.Prosody, map[string]string{"alice": "alice", "bob": "bob"}},
	{"doc/team.md", testserver.Prosody, map[string]string{"hub": "bob", "alice": "alice", "carol": "carol"}},
}

// What the documents show is what happens.
func TestDocuments(t *testing.T) {
	for _, d := range documents {
		t.Run(d.file, func(t *testing.T) {
			t.Parallel()
			s := testserver.New(t, d.server, testserver.Options{Domain: "example.org", Accounts: map[string]string{
				"me": "my-secret", "alice": "alice-secret", "bob": "bob-secret", "carol": "carol-secret",
			}})
			p := &transcript{t: t, server: s, users: d.users}
			p.run(d.file)
		})
	}
}

// The demo says what the README shows of it.
func TestDemoInReadme(t *testing.T) {
	t.Parallel()
	h := &home{t: t, name: "anybody", env: []string{"HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}}
	r := h.try(t.TempDir(), "git-remote-xmpp", "demo")
	if r.status != 0 {
		t.Fatal(r)
	}
	shown := slices.DeleteFunc(strings.Split(documentBlock(t, "README.md", "text"), "\n"), func(line string) bool { return strings.HasPrefix(line, "…") })
	p := &transcript{t: t, seen: make(map[string]string)}
	if missing := p.compare(shown, r.stdout); missing != "" {
		t.Errorf("no line %q (or not there) in what it says:\n%s", missing, r.stdout)
	}
}

var (
	commandLine = regexp.MustCompile(`^    (?:\$ )?((?:git|git-remote-xmpp|git-lfs|make|go) [^ <].*)$`)
	// runElsewhere are commands without somebody's prompt, and what runs them.
	runElsewhere = map[string]string{
		"make demo":              "TestDemoInReadme runs the demo, and .ci/run begins by building it",
		"make install":           "TestInstall",
		"make test":              ".ci/run",
		"go test":                "make test runs them all",
		"git-remote-xmpp server": "TestServerReadsAccountsFromAFile",
	}
)

// Every command that a document shows belongs to a transcript, or is run elsewhere.
func TestEveryCommandInADocumentRuns(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "doc", "*.md"))
	if err != nil || len(files) < 5 {
		t.Fatalf("documents %q, error %v", files, err)
	}
	pages, err := filepath.Glob(filepath.Join("..", "doc", "man", "*.md"))
	if err != nil || len(pages) < 2 {
		t.Fatalf("pages of the manual %q, error %v", pages, err)
	}
	files = append(files, pages...)
	for _, path := range append(files, filepath.Join("..", "README.md"), filepath.Join("..", "CONTRIBUTING.md")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file := strings.TrimPrefix(filepath.ToSlash(path), "../")
		if file == "doc/ci.md" {
			continue // TestCI and TestCIRunnerThatStays run what is in it
		}
		for i, line := range strings.Split(string(text), "\n") {
			prompted := promptLine.MatchString(line)
			if prompted && !slices.ContainsFunc(documents, func(d document) bool { return d.file == file }) {
				t.Errorf("%s:%d: TestDocuments doesn't run this document", file, i+1)
			}
			if m := commandLine.FindStringSubmatch(line); m != nil && !prompted && !elsewhere(m[1]) {
				t.Errorf("%s:%d: nothing runs %q", file, i+1, m[1])
			}
		}
	}
}

func elsewhere(command string) bool {
	words := strings.Fields(command)
	return runElsewhere[strings.Join(words[:2], " ")] != ""
}
