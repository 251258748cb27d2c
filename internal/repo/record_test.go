package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// told pushes and returns what is told of it, and what the hook post-xmpp-receive got.
func (w *world) told(args ...string) (changes, hook string) {
	w.t.Helper()
	file, seen := filepath.Join(w.t.TempDir(), "told"), filepath.Join(w.t.TempDir(), "seen")
	w.t.Setenv("TOY_TOLD", file)
	w.hook(postXMPPReceive, `{ pwd; echo "$GIT_XMPP_PEER_LABEL $GIT_XMPP_PEER_JID $GIT_XMPP_PEER_UUID"; env | grep GIT_XMPP_RECORD; cat; } >`+seen)
	w.hook(postReceive, "env | grep GIT_XMPP_RECORD")
	if said, _ := w.push(args...); strings.Contains(said, envRecord) {
		w.t.Errorf("the hook post-receive is shown ours: %s", said)
	}
	return contentOf(w.t, file), contentOf(w.t, seen)
}

// contentOf is "" for a file that isn't there.
func contentOf(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(content)
}

// The hook post-xmpp-receive and who else is told of a push get to know what it has really changed, in either mode.
func TestRecord(t *testing.T) {
	for _, mode := range []string{ModeFallback, ModeDirect} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, "--bare")
			t.Setenv("TOY_MODE", mode)
			zero, first := strings.Repeat("0", 40), git(t, w.client, "rev-parse", "HEAD")
			who := w.server + "\nalice " + testJID + " " + aliceUUID + "\n"
			check := func(wantChanges, wantHook string, args ...string) {
				t.Helper()
				changes, hook := w.told(args...)
				if wantHook != "" {
					wantHook = who + wantHook
				}
				if changes != wantChanges || hook != wantHook {
					t.Errorf("%v: told\n%s\nwant\n%s\nthe hook got\n%s\nwant\n%s", args, changes, wantChanges, hook, wantHook)
				}
			}
			commit(t, w.client, "a", "a")
			commit(t, w.client, "b", "b")
			second := git(t, w.client, "rev-parse", "HEAD")
			check(fmt.Sprintf("%+v 0", []Change{{Ref: "refs/heads/main", Commits: 2, Subject: "b"}}), first+" "+second+" refs/heads/main\n", "origin", "main")
			check("", "", "origin", "main")
			git(t, w.client, "reset", "-q", "--hard", "HEAD~2")
			commit(t, w.client, "c", "c")
			third := git(t, w.client, "rev-parse", "HEAD")
			if mode == ModeFallback {
				check(fmt.Sprintf("%+v 0", []Change{{Ref: syncedRef, Created: true, Waits: "main", Commits: 1, Lost: 2, Subject: "c"}}), zero+" "+third+" "+syncedRef+"\n", "origin", "main")
			} else {
				check("", "", "origin", "main")
			}
			check(fmt.Sprintf("%+v 0", []Change{{Ref: "refs/heads/main", Commits: 1, Lost: 2, Subject: "c"}}), second+" "+third+" refs/heads/main\n", "--force", "origin", "main")
			check(fmt.Sprintf("%+v 1", []Change{{Ref: "refs/heads/x", Created: true, Subject: "c"}, {Ref: "refs/heads/y", Created: true, Subject: "c"}}),
				zero+" "+third+" refs/heads/x\n"+zero+" "+third+" refs/heads/y\n"+zero+" "+third+" refs/tags/z\n", "origin", "main:x", "main:y", "main:refs/tags/z")
			check(fmt.Sprintf("%+v 0", []Change{{Ref: "refs/heads/x", Deleted: true}}), third+" "+zero+" refs/heads/x\n", "origin", ":x")
			if left, err := filepath.Glob(filepath.Join(w.data, "hooks", recordPattern)); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// A push has no record, and runs no hook of ours, where nobody wants to be told; and records that were left behind go.
func TestNoRecord(t *testing.T) {
	w := newWorld(t, "--bare")
	cmd, err := w.open().Command(t.Context(), ReceivePack, 0, Sender{JID: testJID, UUID: aliceUUID}, Policy{}, HooksDir(w.data))
	if err != nil {
		t.Fatal(err)
	}
	if record := RecordOf(cmd); record != (Record{}) || !record.Empty() {
		t.Errorf("there is %+v", record)
	}
	hooks := HooksDir(w.data)
	if cmd, err = w.open().Command(t.Context(), ReceivePack, 0, Sender{JID: testJID, UUID: aliceUUID}, Policy{Told: true}, hooks); err != nil {
		t.Fatal(err)
	}
	record := RecordOf(cmd)
	if info, err := os.Stat(record.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%+v, %v", info, err)
	}
	if err := hooks.Tidy(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(record.file); !os.IsNotExist(err) {
		t.Errorf("the record stays: %v", err)
	}
}
