package repo

import (
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
	r, err := repo.receiver(t.Context(), Sender{testJID, aliceUUID, testKey, "alice"}, Policy{Integrate: IntegrateFF}, own, Environ(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return r
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

// Before 2.34 git answers at its end only: then a work tree is brought along before the refs are locked.
func TestTransactionsOfOldGit(t *testing.T) {
	w := newWorld(t)
	one := git(t, w.server, "rev-parse", "main")
	commit(t, w.client, "two", "two")
	two := git(t, w.client, "rev-parse", "main")
	git(t, w.server, "fetch", "-q", w.client, "main")
	r := w.receiver(t)
	r.txn.late = true
	commands := []command{{one, two, "refs/heads/main"}, {zeroLike(two), two, "refs/heads/topic"}, {zeroLike(two), two, "refs/heads/topic/sub"}}
	for _, atomic := range []bool{true, false} {
		reports, err := r.run(t.Context(), request{atomic: atomic, commands: commands})
		if err != nil {
			t.Fatal(err)
		}
		main, topic := "main~1", ""
		if !atomic {
			main, topic = "main", "main"
		}
		w.is("refs/heads/main", main)
		w.is("refs/heads/topic", topic)
		if _, err := os.Stat(w.server + "/two"); (err == nil) == atomic || git(t, w.server, "status", "--porcelain") != "" {
			t.Errorf("atomic %v: the work tree isn't at its branch: %v", atomic, err)
		}
		w.says(reports[2].reason, "'refs/heads/topic'")
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
			if _, err := readRequest(pktline.NewScanner(&in), &out); err == nil {
				t.Error("accepted")
			}
		})
	}
}
