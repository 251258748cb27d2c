package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
	"golang.org/x/sys/unix"
)

// A shell is one that completes command lines.
type shell struct {
	name  string
	args  []string
	begin string // what its user has in its settings
	sum   string // how it adds numbers
	// peerBy is what a peer is found by, from its label and its key.
	peerBy func(label, key string) string
}

func shells(prefix string) []shell {
	byLabel := func(label, _ string) string { return label[:3] }
	return []shell{
		{"bash", []string{"--norc", "--noprofile", "-i"}, "source /usr/share/bash-completion/bash_completion", "$((%d+1))", byLabel},
		{"zsh", []string{"-f", "-i"}, "fpath+=(" + prefix + "/share/zsh/site-functions); autoload -Uz compinit; compinit -u", "$((%d+1))", byLabel},
		{"fish", []string{"-i"}, "true", "(math %d+1)", func(_, key string) string { return key[:len("SHA256:")+6] }},
	}
}

// Somebody sits in front of a shell and hits the tabulator key, before and after git xmpp, and what stands there then works.
func TestShells(t *testing.T) {
	t.Parallel()
	for _, program := range []string{testserver.Zsh, testserver.Fish, testserver.BashCompletion} {
		testserver.Require(t, program)
	}
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "a folder/inner")
	alice := p.labelled(t, "Alice")
	prefix := installedHome(t, p.bob)
	for _, s := range shells(prefix) {
		t.Run(s.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			cmd := p.bob.local(s.name, s.args...)
			term := onTerminal(t, cmd)
			if err := unix.IoctlSetWinsize(int(term.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 500}); err != nil { // no line is broken
				t.Fatal(err)
			}
			n := 0
			types := func(keys string) (shown string) {
				before := len(term.shown())
				n += 2
				term.enter(keys + "; echo done-" + fmt.Sprintf(s.sum, n))
				term.await(fmt.Sprintf("done-%d", n+1))
				return term.shown()[before:]
			}
			types(s.begin)
			// Commands and words, for git's completion.
			types("git xmpp comp\tz\t> " + out)
			if got, want := readText(t, out), p.bob.xmpp(p.bob.dir, "completion", "zsh")+"\n"; got != want {
				t.Errorf("git xmpp completion zsh: %q", got)
			}
			// Flags and folders.
			types("git-remote-xmpp invite --rea\t./a\tin\t> " + out)
			if url := readText(t, out); !strings.HasPrefix(url, "xmpp::bob@localhost/inner?invite=") {
				t.Errorf("an invite: %q", url)
			}
			// Keys, and choices.
			types("git xmpp peers set " + s.peerBy("Alice", alice) + "\t--acc\tno\t")
			if access := accessOf(t, p.bob, alice); access != "none" {
				t.Errorf("access is %q, not none", access)
			}
			shown := types("git-xmpp peers set " + alice[:len("SHA256:")+4] + "\t--access=wr\t")
			if access := accessOf(t, p.bob, alice); access != "write" || !strings.Contains(shown, alice) {
				t.Errorf("access is %q, not write: %q", access, shown)
			}
		})
	}
	// Remotes, and that others than ours aren't among them.
	p.alice.git(p.clone, "remote", "add", "elsewhere", "/elsewhere")
	if got := p.alice.xmpp(p.clone, "completion", "answer", "--", "sync", ""); got != "words\norigin\tbob@localhost/proj" {
		t.Errorf("remotes: %q", got)
	}
}

// accessOf is what a key may do with the one repository that it has.
func accessOf(t *testing.T, h *home, key string) (access string) {
	t.Helper()
	peer := h.peer(t, func(o peerOutput) bool { return o.Key == key })
	for _, access = range peer.Access {
	}
	return access
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
