package repo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// integrate is Integrate for Alice on the server; it returns what was said.
func (w *world) integrateNow(policy Policy) string {
	w.t.Helper()
	var out strings.Builder
	if err := w.open().Integrate(w.t.Context(), Sender{testJID, aliceUUID, testKey, "alice"}, policy, &out); err != nil {
		w.t.Error(err)
	}
	return out.String()
}

// What a dirty work tree has kept away comes when that is clean, the files too.
func TestIntegrateWhenTheTreeIsClean(t *testing.T) {
	w := newWorld(t)
	w.hook("update", `echo "update $1 $GIT_XMPP_PEER_LABEL $GIT_CONFIG_PARAMETERS"`)
	w.hook("post-receive", `while read old new ref; do echo "post $old $new $ref $GIT_XMPP_PEER_JID"; done`)
	w.hook("post-update", `echo "after $*"; git rev-parse --git-dir`)
	old := git(t, w.server, "rev-parse", "main")
	commit(t, w.client, "two", "two")
	writeFile(t, w.server+"/one", "edited", 0o644)
	w.mustPush(toMain, "with changes in a work tree there", "main -> "+syncedRef)
	if out := w.integrateNow(Policy{}); !strings.Contains(out, "with changes in a work tree there") || strings.Contains(out, "post") {
		t.Errorf("said\n%s", out)
	}
	w.is(syncedRef, "main")
	w.is("refs/heads/main", "main~1")

	git(t, w.server, "checkout", "-q", "--", "one")
	out := w.integrateNow(Policy{})
	w.says(out, "update refs/heads/main alice\n", "post "+old+" "+git(t, w.client, "rev-parse", "main")+" refs/heads/main "+testJID,
		"after refs/heads/main", w.server+"/.git")
	w.is("refs/heads/main", "main")
	w.is(syncedRef, "")
	if git(t, w.server, "status", "--porcelain") != "" || readFile(t, w.server+"/two") != "two" {
		t.Error("the work tree wasn't brought along")
	}
	if log := git(t, w.server, "reflog", "-1", "--format=%gs", "main"); !strings.Contains(log, "push over xmpp from alice "+testJID) {
		t.Errorf("the reflog says %q", log)
	}
	git(t, w.server, "fsck", "--strict")
}

// What has diverged is merged once the policy says so, unless the sender does that.
func TestIntegrateMerges(t *testing.T) {
	w := newWorld(t, "--bare")
	w.needsGit(2, 38)
	w.hook("post-receive", "cat")
	w.diverge()
	w.mustPush(toMain, "main -> "+syncedRef)
	before := git(t, w.server, "rev-parse", "main")
	for _, policy := range []Policy{{}, {Integrate: IntegrateNone}, {Mode: ModeDirect, Integrate: IntegrateMerge}, {Integrate: IntegrateMerge, SenderMerges: true}} {
		if out := w.integrateNow(policy); out != "" || git(t, w.server, "rev-parse", "main") != before {
			t.Errorf("%+v: said %q, or main was moved", policy, out)
		}
		w.is(syncedRef, "main")
	}
	out := w.integrateNow(Policy{Integrate: IntegrateMerge})
	w.mergedOnServer(before, git(t, w.client, "rev-parse", "main"))
	w.is(syncedRef, "")
	w.says(out, "main: merged with what was there", before+" "+git(t, w.server, "rev-parse", "main")+" refs/heads/main")
}

// Records, others' fallback refs and what the branch has got meanwhile; branches that aren't there, and a second ref for one.
func TestIntegrateOnlyTheSenders(t *testing.T) {
	w := newWorld(t, "--bare")
	w.hook("post-receive", "cat")
	id := w.history("two main", "three two", "four three", "beside main")
	for ref, commit := range map[string]string{
		"refs/heads/merged":                    "two",
		"refs/heads/behind":                    "main",
		space("", "merged"):                    "two",
		space("", "behind"):                    "two",
		space(".1", "behind"):                  "three", // by somebody's own doing
		space("", "new"):                       "two",
		"refs/heads/away":                      "beside",
		space("", "away"):                      "two",
		space(".1", "away"):                    "three",
		space("", otherUUID+"/main"):           "two",
		"refs/synced/" + otherUUID + "/main":   "two",
		"refs/synced/" + otherUUID + "/behind": "four",
	} {
		git(t, w.server, "update-ref", ref, id[commit])
	}
	for range 2 { // a second ref has its turn when the first is gone
		w.integrateNow(Policy{})
	}
	for branch, commit := range map[string]string{"main": "main", "merged": "two", "behind": "three", "new": "two", "away": "beside"} {
		if got := git(t, w.server, "rev-parse", "refs/heads/"+branch); got != id[commit] {
			t.Errorf("%s is %s", branch, got)
		}
	}
	got := git(t, w.server, "for-each-ref", "--format=%(objectname) %(refname)", "refs/synced")
	want := id["three"] + " " + space(".1", "away") + "\n" + id["two"] + " " + space("", otherUUID+"/main") + "\n" + id["two"] + " " + space("", "away") + "\n" +
		id["four"] + " refs/synced/" + otherUUID + "/behind\n" + id["two"] + " refs/synced/" + otherUUID + "/main"
	if got != want {
		t.Errorf("left are\n%s\nwant\n%s", got, want)
	}
}

// A hook that declines, each time, keeps everything as it is.
func TestIntegrateDeclined(t *testing.T) {
	w := newWorld(t, "--bare")
	git(t, w.server, "update-ref", syncedRef, w.history("two main")["two"])
	before := git(t, w.server, "for-each-ref")
	w.hook("update", "exit 1")
	w.says(w.integrateNow(Policy{}), "error: hook declined to update refs/heads/main")
	if got := git(t, w.server, "for-each-ref"); got != before {
		t.Errorf("there are\n%s", got)
	}
}

func TestIntegrateNothingIsCheap(t *testing.T) {
	w := newWorld(t, "--bare")
	r := w.open()
	trace := filepath.Join(t.TempDir(), "trace")
	r.env = append(r.env, "GIT_TRACE="+trace)
	for i, refs := range []string{"", space("", otherUUID+"/main"), "refs/synced/" + otherUUID + "/main"} {
		if refs != "" {
			git(t, w.server, "update-ref", refs, "main")
		}
		writeFile(t, trace, "", 0o644)
		err := r.Integrate(t.Context(), Sender{testJID, aliceUUID, testKey, "alice"}, Policy{Integrate: IntegrateMerge}, os.Stderr)
		if n := strings.Count(readFile(t, trace), "trace: built-in: git"); n != 1 || err != nil {
			t.Errorf("%d: %d processes, error %v", i, n, err)
		}
	}
	if err := r.Integrate(t.Context(), Sender{JID: testJID, UUID: "../x"}, Policy{}, os.Stderr); err == nil {
		t.Error("a bad sender is accepted")
	}
}
