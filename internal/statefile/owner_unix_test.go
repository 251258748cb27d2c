//go:build unix

package statefile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Only root can give files away; where tests don't run as root, integration's TestPrivateFiles doesn't show it either.
func TestFilesOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: can't give a file to somebody else")
	}
	const nobody = 65534
	d := testDocument(t)
	must(t, add(t, d, 1))
	must(t, os.Chown(d.Path, nobody, nobody))
	for name, err := range map[string]error{"read": readError(open(d.Path).Read()), "private": readError(ReadPrivate(d.Path)), "change": add(t, open(d.Path), 2)} {
		if !errors.Is(err, ErrNotOurs) || !strings.Contains(err.Error(), d.Path+" is owned by another user (uid 65534)") {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.Chown(d.Path, 0, 0))
	must(t, os.Chown(filepath.Dir(d.Path), nobody, nobody))
	if _, err := open(d.Path).Read(); !errors.Is(err, ErrNotOurs) {
		t.Errorf("folder: %v", err)
	}
}
