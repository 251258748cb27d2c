package repo

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// receiver is a receiver on the served repository, without a receive-pack.
func (w *world) receiver(t *testing.T) *receiver {
	t.Helper()
	repo, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	own, err := repo.ownHooks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sender := Sender{testJID, aliceUUID, testKey, "alice"}
	return &receiver{
		repo: repo, sender: sender, integrate: IntegrateFF, hooks: own, hookEnv: Environ(), stderr: os.Stderr,
		txn:      &transactions{repo: repo, message: sender.reflog(), stderr: os.Stderr},
		declined: make(map[string]bool),
	}
}

// receive carries out commands, each by itself.
func (w *world) receive(t *testing.T, commands ...command) []report {
	t.Helper()
	reports, err := w.receiver(t).run(t.Context(), request{commands: commands})
	if err != nil {
		t.Fatal(err)
	}
	return reports
}

// A ref that moves between the plan and the lock is planned for again.
func TestRefMovesMeanwhile(t *testing.T) {
	w := newWorld(t, "--bare")
	one := git(t, w.server, "rev-parse", "main")
	tree := git(t, w.server, "rev-parse", "main^{tree}")
	two := git(t, w.server, "commit-tree", "-m", "two", "-p", one, tree)
	three := git(t, w.server, "commit-tree", "-m", "three", "-p", two, tree)
	other := git(t, w.server, "commit-tree", "-m", "other", "-p", one, tree)

	for name, test := range map[string]struct{ moved, new, ref string }{
		"still ahead":  {two, three, "refs/heads/main"},
		"now diverged": {other, three, syncedRef},
	} {
		t.Run(name, func(t *testing.T) {
			git(t, w.server, "update-ref", "refs/heads/main", one)
			// The hook runs after the decision and before the lock.
			w.hook("update", `[ "$(git rev-parse refs/heads/main)" != `+one+` ] || git update-ref refs/heads/main `+test.moved)
			got := w.receive(t, command{one, test.new, "refs/heads/main"})[0]
			if got.reason != "" || got.done.ref != test.ref {
				t.Errorf("report %+v", got)
			}
		})
	}
}

func TestCancelledPushChangesNothing(t *testing.T) {
	w := newWorld(t, "--bare")
	tree := git(t, w.server, "rev-parse", "main^{tree}")
	new := git(t, w.server, "commit-tree", "-m", "two", "-p", "main", tree)
	c := command{zeroLike(new), new, "refs/heads/main"}
	r := w.receiver(t)
	if err := r.load(t.Context(), []command{c}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reports, err := r.oneByOne(ctx, []command{c})
	if err != nil || reports[0].reason != reasonCancelled {
		t.Errorf("reports %+v, error %v", reports, err)
	}
	w.is("refs/heads/main", "main")
}

func TestReadRequestRefusesNonsense(t *testing.T) {
	for name, packets := range map[string][]string{
		"nothing":         {},
		"no version":      {""},
		"other version":   {"version=2", ""},
		"not a command":   {"version=1", "", "hello", ""},
		"short ids":       {"version=1", "", "12 34 refs/heads/main", ""},
		"ends in between": {"version=1", "", strings.Repeat("1", 40) + " " + strings.Repeat("2", 40) + " refs/heads/main"},
		"options missing": {"version=1\x00push-options", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var in, out bytes.Buffer
			if err := pktline.NewEncoder(&in).EncodeString(packets...); err != nil {
				t.Fatal(err)
			}
			if _, err := readRequest(pktline.NewScanner(&in), bufferedWriter(&out)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func bufferedWriter(w *bytes.Buffer) *bufio.Writer { return bufio.NewWriter(w) }
