package serve

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"git-remote-xmpp/protocol"
)

// A repository that is replaced after it was found, and before git is started on it, isn't opened, be it by a link or by another.
func TestReplacedBetween(t *testing.T) {
	for name, replace := range map[string]func(outside, path string) error{
		"link": os.Symlink, "another": os.Rename,
	} {
		for _, rel := range []string{"proj.git", "sub/proj.git"} {
			t.Run(name+" "+rel, func(t *testing.T) {
				home, err := filepath.EvalSymlinks(t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				base, outside := filepath.Join(home, "base"), filepath.Join(home, "outside", "proj.git")
				for _, dir := range []string{filepath.Join(base, rel), outside} {
					if out, err := exec.Command("git", "init", "--quiet", "--bare", dir).CombinedOutput(); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
				}
				c, err := NewBaseCatalog(base, true)
				if err != nil {
					t.Fatal(err)
				}
				p, ok := c.base.at(rel)
				if !ok {
					t.Fatal("not found")
				}
				if _, err := c.open(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				top, from := filepath.Join(base, filepath.Dir(rel)), filepath.Dir(outside)
				if top == base {
					top, from = filepath.Join(base, rel), outside
				}
				if err := os.Rename(top, filepath.Join(home, "away")); err != nil {
					t.Fatal(err)
				}
				if err := replace(from, top); err != nil {
					t.Fatal(err)
				}
				if e, err := c.open(t.Context(), p); !errors.Is(err, protocol.CodeNoRepository) {
					t.Errorf("opened %+v, %v", e, err)
				}
			})
		}
	}
}
