package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// atLimit is less than what ownServerBytes take at Debian's limit of either server.
const (
	ownServerBytes = 400_000
	atLimit        = 30 * time.Second
)

// Both servers start with the lines that doc/own-server.md shows, and what is limited without them isn't.
func TestOwnServerDocument(t *testing.T) {
	for name, language := range map[string]string{testserver.Prosody: "lua", testserver.Ejabberd: "yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := testserver.Options{Domain: "example.org", Extra: documentBlock(t, "doc/own-server.md", language)}
			if name == testserver.Prosody { // the other's limit is in its lines
				o.BytesPerSecond = 10_000
			}
			bob, alice, served, clone := pairUp(t, testserver.New(t, name, o))
			randomFile(t, filepath.Join(clone, "blob"), ownServerBytes)
			pushed := alice.commit(clone, "large")
			began := time.Now()
			alice.git(clone, "push", "--quiet", "origin", "main")
			if took := time.Since(began); took > atLimit {
				t.Errorf("%d bytes took %v: they were limited", ownServerBytes, took)
			}
			if got := bob.git(served, "rev-parse", "main"); got != pushed {
				t.Errorf("main is %s, want %s", got, pushed)
			}
		})
	}
}

// documentBlock is the only block of a document in a language.
func documentBlock(t *testing.T, file, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\n```"+language+"\n(.*?)\n```\n").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 1 || strings.TrimSpace(blocks[0][1]) == "" {
		t.Fatalf("%s: %d blocks of %s", file, len(blocks), language)
	}
	return blocks[0][1]
}
