package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// machineOwners are the accounts of machines: three of Bob's and two of Alice's, in an order that in a line has neighbours of one account and
// of two.
var machineOwners = []string{"bob", "bob", "alice", "alice", "bob"}

// Which machines know of each other. The second of a pair has come by an invite of the first's.
var machineShapes = map[string][][2]int{
	"line": {{0, 1}, {1, 2}, {2, 3}, {3, 4}},
	"star": {{0, 1}, {0, 2}, {0, 3}, {0, 4}},
	"mesh": {{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}, {0, 4}, {1, 4}, {2, 4}, {3, 4}},
}

// A syncNet is machines that keep one repository in step.
type syncNet struct {
	*testing.T
	all    []*replica
	counts []*stanzaCount
	links  [][2]int
}

// newSyncNet sets up machines as users would: each clones by an invite from the first that it knows, and fetches by an invite from each other one.
func newSyncNet(t *testing.T, s *testserver.Server, links [][2]int, integrate string) *syncNet {
	t.Helper()
	n := &syncNet{T: t, links: links}
	for i, owner := range machineOwners {
		name := fmt.Sprintf("m%d-%s", i, owner)
		r := &replica{home: newHome(t, s, name, owner)}
		n.counts = append(n.counts, countStanzas(t, s, r.home))
		r.git(r.dir, "config", "--global", "xmpp.integrate", integrate)
		for _, l := range links {
			switch {
			case l[1] != i:
			case r.proj == "":
				from := n.all[l[0]]
				r.proj = r.dir + "/proj"
				r.git(r.dir, "clone", "--quiet", from.xmpp(from.proj, "invite", "--label", name), r.proj)
			default:
				from := n.all[l[0]]
				r.git(r.proj, "remote", "add", from.name, from.xmpp(from.proj, "invite", "--label", name))
				r.git(r.proj, "fetch", "--quiet", from.name)
			}
		}
		if i == 0 {
			r.proj = r.newRepo("proj")
		}
		r.git(r.proj, "config", "xmpp.sync", "true")
		r.daemon = r.serve(r.proj)
		n.all = append(n.all, r)
	}
	n.converge()
	return n
}

// refs are a machine's branches and tags.
func (r *replica) refs() string {
	return r.try(r.proj, "git", "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags").stdout
}

// syncStatus is what status says of repositories in step.
type syncStatus struct {
	Running, Waiting []serveRun
	Sync             []struct {
		Repository, UUID string
		Sync             bool
		Remotes          []struct {
			Name      string
			OutOfSync bool
			Peers     []struct {
				JID, Key, Client, Error string
				Online                  bool
				Waiting                 []string
			}
		}
		Unmerged []struct{ Ref, Branch, From, ID string }
	}
}

func (h *home) syncStatus() (s syncStatus) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(h.xmpp(h.dir, "status", "--json")), &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// idle tells whether a machine has nothing to do for others.
func (r *replica) idle() bool {
	s := r.syncStatus()
	for _, repo := range s.Sync {
		for _, m := range repo.Remotes {
			for _, p := range m.Peers {
				if len(p.Waiting) > 0 && p.Online && p.Error == "" { // one that fails waits for something to happen
					return false
				}
			}
		}
	}
	return len(s.Running)+len(s.Waiting) == 0
}

// stanzas is how many messages and presences all machines have sent.
func (n *syncNet) stanzas() (sum int) {
	for _, c := range n.counts {
		sent, _ := c.sent("")
		sum += sent
	}
	return sum
}

// converge waits until all machines have the same refs, and until nobody says anything any more.
func (n *syncNet) converge() {
	n.Helper()
	n.await("the same refs everywhere", func() bool {
		for _, r := range n.all[1:] {
			if r.refs() != n.all[0].refs() {
				return false
			}
		}
		return true
	})
	n.quiet()
}

// quietFor is how long nothing is sent before nobody has anything to say: longer than changes are gathered, and what is sent at the end of a push takes.
const quietFor = 1500 * time.Millisecond

// quiet waits until nobody has anything to do or to say.
func (n *syncNet) quiet() {
	n.Helper()
	last, since := -1, time.Now()
	n.await("quiet", func() bool {
		if now := n.stanzas(); now != last || slices.ContainsFunc(n.all, func(r *replica) bool { return r.daemon != nil && !r.idle() }) {
			last, since = now, time.Now()
		}
		return time.Since(since) > quietFor
	})
}

// await is the function of that name; if it is in vain the state of all machines is shown.
func (n *syncNet) await(what string, happened func() bool) {
	n.Helper()
	for end := time.Now().Add(deadline); !happened(); {
		if time.Now().After(end) {
			n.Fatalf("waited in vain for %s:\n%s", what, n.state())
		}
		select {
		case <-n.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// state shows all machines.
func (n *syncNet) state() string {
	var text strings.Builder
	for _, r := range n.all {
		fmt.Fprintf(&text, "%s %s\n%s%s\n", r.name, r.proj, r.try(r.proj, "git", "for-each-ref").stdout,
			r.try(r.proj, "git", "log", "--graph", "--oneline", "--all", "-12").stdout)
		if r.daemon != nil {
			text.WriteString(r.try(r.dir, "git-remote-xmpp", "status").stdout)
		}
	}
	return text.String()
}

// merged expects that nothing waits to be merged anywhere, that work trees are as their branches, and that all repositories are sound.
func (n *syncNet) merged() {
	n.Helper()
	for _, r := range n.all {
		if left := r.unmerged(); len(left) > 0 {
			n.Errorf("%s: unmerged: %v\n%s", r.name, left, n.state())
		}
		if out := r.git(r.proj, "status", "--porcelain"); out != "" {
			n.Errorf("%s: its work tree: %s", r.name, out)
		}
		r.git(r.proj, "fsck", "--strict", "--no-dangling")
	}
}

// unmerged are the fallback refs that status shows.
func (r *replica) unmerged() (refs []string) {
	for _, repo := range r.syncStatus().Sync {
		for _, u := range repo.Unmerged {
			refs = append(refs, u.Ref)
		}
	}
	return refs
}

// bytes are those of the messages that one machine has sent to another.
func (n *syncNet) bytes() map[[2]int]int {
	sent := make(map[[2]int]int)
	for i, c := range n.counts {
		for j, r := range n.all {
			if _, bytes := c.sent(r.daemon.jid); i != j {
				sent[[2]int{i, j}] = bytes
			}
		}
	}
	return sent
}
