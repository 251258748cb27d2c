package integration

import (
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// Three machines of Bob's and two of Alice's: what any commits all get.
func TestSyncTopologies(t *testing.T) {
	for shape, links := range machineShapes {
		t.Run(shape, func(t *testing.T) {
			f := newNetwork(t, testserver.New(t, testserver.Prosody, testserver.Options{}), links, "merge")
			for _, r := range f.all {
				before := f.stanzas()
				r.commit(r.proj, "by-"+r.name)
				f.converge()
				t.Logf("%s: %d stanzas", r.name, f.stanzas()-before)
			}
			f.merged()
		})
	}
}
