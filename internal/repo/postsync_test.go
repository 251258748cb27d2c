package repo

import (
	"os"
	"strings"
	"testing"
)

func TestPostSync(t *testing.T) {
	for name, args := range map[string][]string{"work tree": nil, "bare": {"--bare"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, args...)
			r := w.open()
			dir, gitDir := w.server, w.server
			if !w.bare() {
				gitDir += "/.git"
			}
			var out strings.Builder
			unmerged := []Fallback{{Ref: syncedRef, Client: aliceUUID, Branch: "main", ID: "1234"}, {Ref: space(".1", otherUUID+"/a/b"), Branch: "a/b", ID: "5678"}}
			run := func() (string, error) {
				out.Reset()
				err := r.PostSync(t.Context(), "bob", unmerged, &out)
				return out.String(), err
			}
			if said, err := run(); said != "" || err != nil {
				t.Errorf("without a hook: %q, %v", said, err)
			}
			w.hook(postSync, `pwd; git rev-parse --absolute-git-dir; echo "$# $1" >&2; cat`)
			want := dir + "\n" + gitDir + "\n1 bob\n1234 " + syncedRef + " refs/heads/main\n5678 " + space(".1", otherUUID+"/a/b") + " refs/heads/a/b\n"
			if said, err := run(); said != want || err != nil {
				t.Errorf("said %q, want %q, error %v", said, want, err)
			}
			hooks := t.TempDir()
			git(t, w.server, "config", "core.hooksPath", hooks)
			if said, err := run(); said != "" || err != nil {
				t.Errorf("by a hook elsewhere: %q, %v", said, err)
			}
			writeFile(t, hooks+"/"+postSync, "#!/bin/sh\nexit 3\n", 0o644)
			if said, err := run(); said != "" || err != nil {
				t.Errorf("by a file: %q, %v", said, err)
			}
			if err := os.Chmod(hooks+"/"+postSync, 0o755); err != nil {
				t.Fatal(err)
			}
			if _, err := run(); exitStatus(err) != 3 || err.Error() != "hook post-xmpp-sync: exit status 3" {
				t.Errorf("error %v", err)
			}
			writeFile(t, hooks+"/"+postSync, "no program", 0o755)
			if _, err := run(); err == nil || strings.Contains(err.Error(), hooks) {
				t.Errorf("error %v", err)
			}
		})
	}
}
