package repo

import "testing"

func TestTrack(t *testing.T) {
	w := newWorld(t)
	dir := w.server
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	first := git(t, dir, "rev-parse", "main")
	second := git(t, dir, "commit-tree", "-p", first, "-m", "second", first+"^{tree}")
	git(t, dir, "remote", "add", "origin", "xmpp::bob@example.org/proj")
	git(t, dir, "remote", "add", "other", "xmpp::bob@example.org/proj")
	git(t, dir, "config", "remote.other.fetch", "+refs/heads/main:refs/remotes/other/main")
	track := func(remote string, branches map[string]string) {
		t.Helper()
		if err := r.Track(t.Context(), remote, branches); err != nil {
			t.Fatal(err)
		}
	}
	missing := "1234567890123456789012345678901234567890"
	track("origin", map[string]string{"refs/heads/main": first, "refs/heads/a/b": first, "refs/heads/missing": missing, "refs/tags/t": first, "refs/heads/..": first})
	track("origin", map[string]string{"refs/heads/main": second})
	track("origin", map[string]string{"refs/heads/main": missing})
	track("other", map[string]string{"refs/heads/main": first})
	track("nowhere", map[string]string{"refs/heads/main": first})
	want := "refs/remotes/origin/a/b " + first + "\nrefs/remotes/origin/main " + second
	if got := git(t, dir, "for-each-ref", "--format=%(refname) %(objectname)", "refs/remotes"); got != want {
		t.Errorf("tracked:\n%s\nwant:\n%s", got, want)
	}
}
