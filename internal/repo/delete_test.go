package repo

import (
	"strings"
	"testing"
)

func TestPushDelete(t *testing.T) {
	w := newWorld(t, "--bare")
	w.mustPush([]string{"origin", "main:topic"})
	git(t, w.server, "update-ref", "refs/synced/"+aliceUUID+"/topic", "main")
	w.mustPush([]string{"--delete", "origin", "topic"}, "- [deleted] topic")
	w.is("refs/heads/topic", "")
	w.is("refs/synced/"+aliceUUID+"/topic", "")
}

// A branch can be deleted whatever the pusher has of it.
func TestPushDeleteWhateverIsHere(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, w *world, side string){
		"no such branch, no such commit": func(*testing.T, *world, string) {},
		"the same branch":                func(t *testing.T, w *world, _ string) { git(t, w.client, "fetch", "-q", "origin", "side:side") },
		"another branch of the name":     func(t *testing.T, w *world, _ string) { git(t, w.client, "branch", "side") },
		"the commit, and no branch":      func(t *testing.T, w *world, _ string) { git(t, w.client, "fetch", "-q") },
	} {
		for _, plain := range []string{"", "yes"} {
			t.Run(name+plain, func(t *testing.T) {
				w := newWorld(t, "--bare")
				t.Setenv("TOY_PLAIN", plain)
				side := git(t, w.server, "commit-tree", "-m", "side", "main^{tree}")
				git(t, w.server, "branch", "side", side)
				prepare(t, w, side)
				w.mustPush([]string{"origin", ":side"}, "- [deleted] side")
				w.is("refs/heads/side", "")
			})
		}
	}
}

// What git says of a deletion that isn't allowed or makes no sense is said here, too.
func TestPushDeleteAsGitDoes(t *testing.T) {
	for name, test := range map[string]struct {
		config [2]string
		branch string
		say    []string // nothing if it must go through
	}{
		"denyDeletes": {
			[2]string{"receive.denyDeletes", "true"}, "topic",
			[]string{"remote: error: denying ref deletion for refs/heads/topic", "! [remote rejected] topic (deletion prohibited)"},
		},
		"current branch": {
			[2]string{"xmpp.export", "true"}, "main",
			[]string{
				"remote: error: By default, deleting the current branch is denied", "remote: To squelch this message, you can set it to 'refuse'.",
				"remote: error: refusing to delete the current branch: refs/heads/main", "(deletion of the current branch prohibited)",
			},
		},
		"denyDeleteCurrent refuse": {
			[2]string{"receive.denyDeleteCurrent", "refuse"}, "main",
			[]string{"remote: error: refusing to delete the current branch: refs/heads/main", "(deletion of the current branch prohibited)"},
		},
		"denyDeleteCurrent warn":   {[2]string{"receive.denyDeleteCurrent", "warn"}, "main", []string{"remote: warning: deleting the current branch"}},
		"denyDeleteCurrent ignore": {[2]string{"receive.denyDeleteCurrent", "ignore"}, "main", []string{"- [deleted] main"}},
		"denyDeleteCurrent 00":     {[2]string{"receive.denyDeleteCurrent", "00"}, "main", []string{"- [deleted] main"}},
		"denyDeleteCurrent 7":      {[2]string{"receive.denyDeleteCurrent", "7"}, "main", []string{"(deletion of the current branch prohibited)"}},
		"no such branch":           {[2]string{"xmpp.export", "true"}, "none", []string{"remote ref does not exist"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "--bare")
			git(t, w.server, "branch", "topic", "main")
			git(t, w.server, "config", test.config[0], test.config[1])
			git(t, w.client, "checkout", "-q", "--detach")
			git(t, w.client, "branch", "-D", "main")
			var said [2]string
			var status [2]int
			for i, mode := range []string{ModeDirect, ModeFallback} {
				t.Setenv("TOY_MODE", mode)
				old := git(t, w.server, "rev-parse", "main")
				said[i], status[i] = w.push("--delete", "origin", test.branch)
				git(t, w.server, "update-ref", "refs/heads/main", old)
			}
			w.says(said[1], test.say...)
			if said[0] != said[1] || status[0] != status[1] {
				t.Errorf("exit status %d, as by git %d; said\n%s\nas by git\n%s", status[1], status[0], said[1], said[0])
			}
		})
	}
}

func TestDeleteMissingBranch(t *testing.T) {
	w := newWorld(t, "--bare")
	zero := strings.Repeat("0", 40)
	reports := w.receive(t, command{zero, zero, "refs/heads/none"})
	if got := reports[0]; got.reason != "" || got.done.ref != "refs/heads/none" {
		t.Errorf("report %+v", got)
	}
}

// A branch that has moved since the pusher saw it isn't deleted, as by git.
func TestDeleteTooLate(t *testing.T) {
	w := newWorld(t, "--bare")
	main := git(t, w.server, "rev-parse", "main")
	seen := git(t, w.server, "commit-tree", "-m", "seen", "-p", main, "main^{tree}")
	git(t, w.server, "branch", "topic", "main")
	reports := w.receive(t, command{seen, zeroLike(seen), "refs/heads/topic"}, command{seen, zeroLike(seen), "refs/heads/gone"})
	for _, got := range reports {
		if !strings.Contains(got.reason, "cannot lock ref") {
			t.Errorf("report %+v", got)
		}
	}
	w.is("refs/heads/topic", "main")
}
