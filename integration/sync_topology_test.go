package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// maxStanzas is how many messages and presences a small commit may cost each machine. maxBytesFactor is how many bytes of messages a byte of a pack may cost:
// base64, envelopes and QUIC make it 1.4, what a busy machine takes for lost comes on top, and a second crossing would make it 2.8.
const (
	maxStanzas        = 60
	maxStanzasMerging = 100 // of several at once: everybody merges what is new
	maxBytesFactor    = 2.2
)

// Three machines of Bob's and two of Alice's: what any has all get, once, whoever knows whom.
func TestSyncTopologies(t *testing.T) {
	for shape, links := range machineShapes {
		t.Run(shape, func(t *testing.T) {
			n := newSyncNet(t, testserver.New(t, testserver.Prosody, testserver.Options{}), links, "merge")
			n.commitInTurn()
			n.crossOnce()
			n.newRefs()
			n.commitAtOnce()
			n.diverge("conflict", "conflict", 1)
		})
	}
}

// By default histories that haven't diverged move on, and those that have are everybody's to merge.
func TestSyncFastForward(t *testing.T) {
	n := newSyncNet(t, testserver.New(t, testserver.Prosody, testserver.Options{}), machineShapes["line"], "ff")
	n.commitInTurn()
	n.diverge("one", "other", 0)
}

// Who knows everybody keeps in step on another server, too.
func TestSyncMeshEjabberd(t *testing.T) {
	n := newSyncNet(t, testserver.New(t, testserver.Ejabberd, testserver.Options{}), machineShapes["mesh"], "merge")
	n.commitInTurn()
	n.commitAtOnce()
	n.diverge("conflict", "conflict", 1)
}

// commitInTurn has each machine commit.
func (n *syncNet) commitInTurn() {
	n.Helper()
	most, sum := 0, 0
	for _, r := range n.all {
		before := n.stanzas()
		r.commit(r.proj, "by-"+r.name)
		n.converge()
		cost := n.stanzas() - before
		most, sum = max(most, cost), sum+cost
	}
	n.merged()
	n.Logf("stanzas per commit: %d, at most %d", sum/len(n.all), most)
	if most > maxStanzas*len(n.all) {
		n.Errorf("a commit cost %d stanzas", most)
	}
}

// crossOnce commits a file that can't be packed, and expects that it crosses each link at most once.
func (n *syncNet) crossOnce() {
	n.Helper()
	const size = 500_000
	before := n.bytes()
	r := n.all[1]
	randomFile(n.T, filepath.Join(r.proj, "random"), size)
	r.commit(r.proj, "random")
	n.converge()
	links, all := n.bytes(), 0
	for link, bytes := range links {
		links[link] = bytes - before[link]
		all += links[link]
	}
	for _, l := range n.links {
		if both := links[l] + links[[2]int{l[1], l[0]}]; float64(both) > size*maxBytesFactor {
			n.Errorf("%d bytes between %d and %d for a file of %d", both, l[0], l[1], size)
		}
	}
	n.Logf("a file of %d bytes has come to %d more machines in messages of %d bytes", size, len(n.all)-1, all)
}

// newRefs makes branches and tags.
func (n *syncNet) newRefs() {
	n.Helper()
	n.all[0].git(n.all[0].proj, "branch", "topic/of/bob")
	n.all[2].git(n.all[2].proj, "tag", "light")
	n.all[3].git(n.all[3].proj, "tag", "--annotate", "--message", "annotated", "v1.0")
	topic := n.all[4].git(n.all[4].proj, "commit-tree", "-m", "on a branch of its own", "HEAD^{tree}")
	n.all[4].git(n.all[4].proj, "branch", "topic/of/m4", topic)
	n.await("four more refs", func() bool {
		for _, ref := range []string{"refs/heads/topic/of/bob", "refs/tags/light", "refs/tags/v1.0", "refs/heads/topic/of/m4"} {
			for _, r := range n.all {
				if r.try(r.proj, "git", "rev-parse", "--verify", "--quiet", ref).status != 0 {
					return false
				}
			}
		}
		return true
	})
	n.converge()
	n.merged()
}

// commitAtOnce has all machines commit at the same time.
func (n *syncNet) commitAtOnce() {
	n.Helper()
	before := n.stanzas()
	var commits []*exec.Cmd
	for _, r := range n.all {
		file := "at-once-" + r.name
		if err := os.WriteFile(filepath.Join(r.proj, file), []byte(file), 0o600); err != nil {
			n.Fatal(err)
		}
		r.git(r.proj, "add", file)
		commits = append(commits, r.command(r.proj, "git", "commit", "--quiet", "--message", file))
	}
	together(n.T, commits...)
	n.await("all commits everywhere", func() bool {
		for _, r := range n.all {
			if found, err := filepath.Glob(filepath.Join(r.proj, "at-once-*")); err != nil || len(found) < len(n.all) {
				return false
			}
		}
		return true
	})
	n.converge()
	n.merged()
	cost := n.stanzas() - before
	n.Logf("stanzas for %d commits at once: %d", len(n.all), cost)
	if cost > maxStanzasMerging*len(n.all)*len(n.all) {
		n.Errorf("%d commits at once cost %d stanzas", len(n.all), cost)
	}
}

// diverge has the machines at both ends commit a file each, so that nobody can or may merge that, and one of the owners merge it, with that exit status of
// git's.
func (n *syncNet) diverge(file, otherFile string, status int) {
	n.Helper()
	one, other := n.all[1], n.all[4]
	var commits []*exec.Cmd
	for _, c := range []struct {
		*replica
		file string
	}{{one, file}, {other, otherFile}} {
		if err := os.WriteFile(filepath.Join(c.proj, c.file), []byte(c.name), 0o600); err != nil {
			n.Fatal(err)
		}
		c.git(c.proj, "add", c.file)
		commits = append(commits, c.command(c.proj, "git", "commit", "--quiet", "--message", c.file+" of "+c.name))
	}
	together(n.T, commits...)
	ids := []string{one.git(one.proj, "rev-parse", "HEAD"), other.git(other.proj, "rev-parse", "HEAD")}
	n.await("both sides' work everywhere", func() bool {
		for _, r := range n.all {
			for _, id := range ids {
				if !r.reaches(id) {
					return false
				}
			}
		}
		return true
	})
	n.quiet()
	for _, r := range n.all {
		if len(r.unmerged()) == 0 || !r.reaches(ids[0]) || !r.reaches(ids[1]) {
			n.Errorf("%s doesn't say that there is something to merge:\n%s", r.name, n.state())
		}
	}
	if r := other.try(other.proj, "git", "merge", "--quiet", other.unmerged()[0]); r.status != status {
		n.Errorf("merge: %s", r)
	}
	other.commit(other.proj, "merged") // which adds all
	n.converge()
	n.merged()
}

// reaches tells whether a commit is in a branch or a fallback ref.
func (r *replica) reaches(id string) bool {
	return r.try(r.proj, "git", "for-each-ref", "--contains", id, "refs/heads", "refs/synced").stdout != ""
}
