package repo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseFallback(t *testing.T) {
	const space = "refs/synced/" + aliceUUID
	for ref, want := range map[string]Fallback{
		space + "/main":                     {Client: aliceUUID, Branch: "main"},
		space + ".9/a/b":                    {Client: aliceUUID, Branch: "a/b"},
		space + "/" + otherUUID + "/main":   {Client: aliceUUID, Origin: otherUUID, Branch: "main"},
		space + ".1/" + otherUUID + "/a/b":  {Client: aliceUUID, Origin: otherUUID, Branch: "a/b"},
		space + "/" + otherUUID:             {Client: aliceUUID, Branch: otherUUID},
		space + "/" + otherUUID + ".1/main": {Client: aliceUUID, Branch: otherUUID + ".1/main"},
		space + "/x/" + otherUUID + "/main": {Client: aliceUUID, Branch: "x/" + otherUUID + "/main"},
		space:                               {},
		space + ".10/main":                  {},
		space + ".0/main":                   {},
		space + ".1.1/main":                 {},
		space + "/a..b":                     {},
		space + "/" + otherUUID + "/":       {},
		"refs/synced/odd/main":              {},
		"refs/synced/":                      {},
		"refs/heads/" + aliceUUID + "/main": {},
		"refs/synced/" + strings.ToUpper("a"+aliceUUID[1:]) + "/main": {},
	} {
		got, ok := parseFallback(ref, "id")
		if want != (Fallback{}) {
			want.Ref, want.ID = ref, "id"
		}
		if got != want || ok != (want != Fallback{}) {
			t.Errorf("%s: %+v, %v", ref, got, ok)
		}
	}
}

func TestRefspec(t *testing.T) {
	const self = "33333333-3333-4333-8333-333333333333"
	for ref, want := range map[string]string{
		"refs/heads/a/b":              "refs/heads/a/b:refs/heads/a/b",
		"refs/tags/v1":                "refs/tags/v1:refs/tags/v1",
		syncedRef:                     "+" + syncedRef + ":refs/synced/" + self + "/" + aliceUUID + "/main",
		space(".1", "a"):              "+" + space(".1", "a") + ":refs/synced/" + self + "/" + aliceUUID + "/a",
		space(".2", otherUUID+"/a/b"): "+" + space(".2", otherUUID+"/a/b") + ":refs/synced/" + self + "/" + otherUUID + "/a/b",
		"refs/heads/a:b":              "",
		"refs/heads/*":                "",
		"refs/notes/x":                "",
		"+refs/heads/a":               "",
		"refs/synced/odd/x":           "",
		"--mirror":                    "",
	} {
		if got := (Tip{ref, ""}).refspec(self); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
}

func (w *world) open() *Repo {
	w.t.Helper()
	r, err := Open(w.t.Context(), w.server)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// history makes commits in the server, by name and by the names of their parents, each later than the one before, that nothing reaches.
func (w *world) history(commits ...string) map[string]string {
	w.t.Helper()
	ids := map[string]string{"main": git(w.t, w.server, "rev-parse", "main")}
	tree := git(w.t, w.server, "rev-parse", "main^{tree}")
	for i, c := range commits {
		name, parents, _ := strings.Cut(c, " ")
		args := []string{"commit-tree", "-m", name}
		for parent := range strings.FieldsSeq(parents) {
			args = append(args, "-p", ids[parent])
		}
		w.t.Setenv("GIT_COMMITTER_DATE", string('1'+rune(i%9))+"00000000 +0000")
		ids[name] = git(w.t, w.server, append(args, tree)...)
	}
	return ids
}

func refsOf(tips []Tip) (refs []string) {
	for _, t := range tips {
		refs = append(refs, t.Ref)
	}
	return refs
}

func TestTipsAndUnmerged(t *testing.T) {
	w := newWorld(t, "--bare")
	r := w.open()
	if got, err := r.Unmerged(t.Context()); len(got) > 0 || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	id := w.history("old main", "new main", "newer main")
	git(t, w.server, "tag", "-a", "-m", "v1", "v1", "main")
	for ref, commit := range map[string]string{
		"refs/heads/topic":                   "old",
		"refs/heads/hidden/x":                "main",
		"refs/notes/commits":                 "main",
		"refs/remotes/origin/x":              "main",
		space("", "topic"):                   "old", // merged
		space(".1", "none"):                  "old",
		space("", "main"):                    "old",
		space(".3", "hidden/x"):              "new",
		space(".4", "main"):                  "main", // merged
		"refs/synced/odd/main":               "new",
		"refs/synced/" + otherUUID + "/main": "new",
		"refs/synced/" + otherUUID + "/" + aliceUUID + "/main": "new", // newer than Alice's own
		space("", otherUUID+"/main"):                           "old", // older than that one's own
		space("", otherUUID+"/topic"):                          "old", // merged
		space("", "33333333-3333-4333-8333-333333333333/main"): "newer",
	} {
		git(t, w.server, "update-ref", ref, id[commit])
	}
	git(t, w.server, "config", "transfer.hideRefs", "refs/heads/hidden/")
	git(t, w.server, "config", "uploadpack.hideRefs", "!refs/heads/hidden/y")
	tips, err := r.Tips(t.Context())
	want := []string{
		"refs/heads/main", "refs/heads/topic",
		space(".1", "none"), space(".3", "hidden/x"), space("", "33333333-3333-4333-8333-333333333333/main"),
		"refs/synced/" + otherUUID + "/" + aliceUUID + "/main", "refs/synced/" + otherUUID + "/main", "refs/tags/v1",
	}
	slices.Sort(want)
	if !slices.Equal(refsOf(tips), want) || err != nil {
		t.Errorf("tips\n%s\nwant\n%s\nerror %v", strings.Join(refsOf(tips), "\n"), strings.Join(want, "\n"), err)
	}
	for _, tip := range tips {
		if tip.ID != git(t, w.server, "rev-parse", tip.Ref) {
			t.Errorf("%s is %s", tip.Ref, tip.ID)
		}
	}
	git(t, w.server, "config", "uploadpack.hideRefs", "!refs/heads/hidden")
	if tips, err = r.Tips(t.Context()); err != nil || !slices.Contains(refsOf(tips), "refs/heads/hidden/x") {
		t.Errorf("tips %v, error %v", refsOf(tips), err)
	}

	unmerged, err := r.Unmerged(t.Context())
	var refs []string
	for _, f := range unmerged {
		refs = append(refs, f.Ref)
		if f.ID != git(t, w.server, "rev-parse", f.Ref) {
			t.Errorf("%s is %s", f.Ref, f.ID)
		}
	}
	want = append(slices.DeleteFunc(want, func(ref string) bool { return !strings.HasPrefix(ref, syncedPrefix) }), space("", "main"), space("", otherUUID+"/main"))
	slices.Sort(want)
	if !slices.Equal(refs, want) || err != nil {
		t.Errorf("unmerged\n%s\nwant\n%s\nerror %v", strings.Join(refs, "\n"), strings.Join(want, "\n"), err)
	}
}

// What others have pushed to the pusher it can only write into its own namespaces, also where names are in each other's way. It goes
// when it is merged.
func TestRecords(t *testing.T) {
	for name, atomic := range map[string][]string{"one by one": nil, "atomic": {"--atomic"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "--bare")
			t.Setenv("TOY_INTEGRATE", IntegrateMerge)
			before := git(t, w.server, "rev-parse", "main")
			commit(t, w.client, "two", "two")
			record := space("", otherUUID+"/a")
			push := func(dst ...string) {
				t.Helper()
				args := append(slices.Clone(atomic), "origin")
				for _, d := range dst {
					args = append(args, "+main:"+d)
				}
				w.mustPush(args)
			}
			push(record, record+"/b", space("", otherUUID+"/main"))
			w.is(record, "main")
			w.is(space(".1", otherUUID+"/a/b"), "main")
			git(t, w.client, "commit", "-q", "--amend", "-m", "rewritten")
			push(record, record+"/b", space("", otherUUID+"/main"))
			w.is(record, "main")
			w.is(space(".1", otherUUID+"/a/b"), "main")
			if got := git(t, w.server, "for-each-ref", "refs/heads"); !strings.HasPrefix(got, before) || strings.Contains(got, "\n") {
				t.Errorf("branches were touched:\n%s", got)
			}
			out, status := w.push("origin", "main:refs/synced/"+otherUUID+"/"+aliceUUID+"/main")
			if status != 1 || !strings.Contains(out, "hidden ref") {
				t.Errorf("exit status %d\n%s", status, out)
			}
			blob := git(t, w.client, "hash-object", "-w", "two")
			out, status = w.push("origin", blob+":"+space("", otherUUID+"/blob"))
			w.says(out, "not a commit")
			if status != 1 {
				t.Errorf("exit status %d", status)
			}
			t.Setenv("TOY_UUID", otherUUID)
			if out := git(t, w.client, "ls-remote", "origin"); strings.Contains(out, "refs/synced") {
				t.Errorf("others see it:\n%s", out)
			}
			t.Setenv("TOY_UUID", aliceUUID)
			w.mustPush([]string{"origin", "main", "main:a/b"})
			w.tidied()
			if got := w.synced(); got != record {
				t.Errorf("left are\n%s", got)
			}
			w.mustPush([]string{"origin", ":" + record})
			w.is(record, "")
		})
	}
}

func removeObject(t *testing.T, gitDir, id string) {
	t.Helper()
	if err := os.Remove(filepath.Join(gitDir, "objects", id[:2], id[2:])); err != nil {
		t.Fatal(err)
	}
}
