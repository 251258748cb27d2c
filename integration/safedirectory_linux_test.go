package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

const (
	somebody     = 65534 // a user who is neither us nor root
	ownerRefused = "git there refuses to open it, because of its owner (safe.directory)"
)

// chown gives a folder with all that is in it to a user.
func chown(t *testing.T, dir string, uid int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, -1)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a repository to another user")
	}
}

// A repository of another user's under a base path: git refuses it as it does by a path, its owner's files aren't told of, and
// those beside it are served. safe.directory on the serving side heals it, for as long as it is set.
func TestSafeDirectory(t *testing.T) {
	needRoot(t)
	for name, options := range map[string][]string{"export-all": {"--export-all"}, "export": nil} {
		t.Run(name, func(t *testing.T) {
			b := newBaseSite(t, options...)
			clone, proj := filepath.Join(b.alice.dir, "clone"), filepath.Join(b.base, "proj")
			foreign := filepath.Join(b.base, "foreign.git")
			b.bob.git(b.bob.dir, "clone", "--quiet", "--bare", proj, foreign)
			b.bob.git(foreign, "config", "xmpp.export", "true")
			uuid := b.grant("base/foreign.git")
			head := b.bob.git(proj, "rev-parse", "HEAD")
			b.lists("foreign", head) // and now it is known
			before := b.bob.git(foreign, "for-each-ref")
			chown(t, foreign, somebody)

			reference := b.bob.try(foreign, "git", "for-each-ref") // newer ones let upload-pack read it
			mustSay(t, reference.stderr, "dubious ownership")
			refused := func() {
				t.Helper()
				for _, name := range []string{"foreign", "foreign.git", uuid} {
					b.refuses(t, name, 1, ownerRefused)
				}
				for _, args := range [][]string{{"ls-remote", "URL"}, {"fetch", "URL"}, {"push", "URL", "main:other"}, {"archive", "--remote=URL", "main"}} {
					for i := range args {
						args[i] = strings.Replace(args[i], "URL", "xmpp::bob@localhost/foreign", 1)
					}
					r := b.alice.try(clone, "git", args...)
					if r.status != reference.status || !strings.Contains(r.stderr, ownerRefused) || strings.Contains(r.stderr, b.bob.dir) {
						t.Errorf("git %v: %v; want status %d", args, r, reference.status)
					}
				}
			}
			refused()
			b.lists("proj", head)
			b.lists("", head) // the only one that is to be had
			b.alice.git(clone, "push", "--quiet", "origin", "main:beside")

			b.bob.git(b.bob.dir, "config", "--global", "safe.directory", foreign)
			if got := b.bob.git(foreign, "for-each-ref"); got != before {
				t.Errorf("refs: %s, want %s", got, before)
			}
			for _, name := range []string{"foreign", "foreign.git", uuid} {
				b.lists(name, head)
			}
			b.alice.git(clone, "push", "--quiet", "xmpp::bob@localhost/foreign", "main:other")
			if got := b.bob.git(foreign, "rev-parse", "other"); got != head {
				t.Errorf("other is %s, want %s", got, head)
			}
			b.bob.git(b.bob.dir, "config", "--global", "--unset", "safe.directory")
			chown(t, foreign, somebody)
			refused()
			chown(t, foreign, os.Geteuid())
			b.lists("foreign", head)
			if log := b.daemon.said(); !strings.Contains(log, foreign) || !strings.Contains(log, "dubious ownership") {
				t.Error("the log of serve doesn't say why, and of which repository")
			}
		})
	}
}

// A repository that serve was started with, and that is given to another user while it runs; serve doesn't start with such.
func TestSafeDirectoryOfNamed(t *testing.T) {
	needRoot(t)
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "other")
	chown(t, filepath.Join(p.served, ".git"), somebody)
	b := p.refused(1, "bob@localhost/proj: "+ownerRefused, "bob@localhost/proj")
	b.secrets = append(b.secrets, p.bob.dir)
	b.check(t)
	b.push = true
	b.check(t)
	p.bob.git(p.bob.dir, "config", "--global", "safe.directory", filepath.Join(p.served, ".git"))
	p.alice.git(p.clone, "push", "--quiet", "origin", "main:new")
	p.bob.git(p.bob.dir, "config", "--global", "--unset", "safe.directory")
	p.daemon.stop()
	fails(t, p.bob, p.bob.dir, 1, "dubious ownership", "serve", p.served)
	fails(t, p.bob, p.bob.dir, 1, "dubious ownership", "invite", p.served)
}

// said is what serve has logged. The log is being written: it is read when serve has ended.
func (d *daemon) said() string {
	d.t.Helper()
	d.stop()
	return d.stderr.String()
}
