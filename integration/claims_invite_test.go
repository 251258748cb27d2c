package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// An invite may let write to some refs only, in both push modes; who had that may have more by another.
func TestInviteRefs(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, carol := newHome(t, s, "Bob", "bob"), newHome(t, s, "Carol", "carol")
	served := bob.newRepo("proj")
	bob.git(served, "config", "receive.denyCurrentBranch", "updateInstead")
	bob.serve(bob.dir, served)
	carol.git(carol.dir, "clone", "--quiet", bob.xmpp(served, "invite", "--refs", "refs/heads/topic,refs/tags/a*"), "clone")
	clone := filepath.Join(carol.dir, "clone")
	carol.commit(clone, "more")
	for _, mode := range []string{fallback, direct} {
		bob.git(served, "config", "xmpp.pushMode", mode)
		r := carol.try(clone, "git", "push", "origin", "main", "main:topic", "main:refs/tags/a-"+mode, "main:refs/heads/"+mode)
		mustSay(t, r.stderr, "main -> main (not yours to push: you may write to refs/heads/topic, refs/tags/a*)", "main -> "+mode+" (not yours", "main -> a-"+mode)
		if r.status != 1 {
			t.Errorf("%s: %v", mode, r)
		}
		if got := bob.git(served, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/synced"); got != "refs/heads/main\nrefs/heads/topic" {
			t.Errorf("%s: there are %q", mode, got)
		}
		carol.commit(clone, "more-"+mode)
	}
	carol.git(clone, "fetch", "--quiet", bob.xmpp(served, "invite", "--refs", "refs/heads/main"))
	r := carol.try(clone, "git", "push", "origin", "main", "main:topic", "main:else")
	mustSay(t, r.stderr, "main -> main\n", "main -> topic\n", "main -> else (not yours")
	carol.git(clone, "fetch", "--quiet", bob.xmpp(served, "invite"))
	if r := carol.try(clone, "git", "push", "origin", "main:else"); r.status != 0 || strings.Contains(r.stderr, "not yours") {
		t.Error(r)
	}
}
