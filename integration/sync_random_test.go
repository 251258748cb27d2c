package integration

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// randomSteps is how many times a machine is stopped, started, or gets a commit.
const randomSteps = 30

// In whatever order machines come, go and commit, in the end all have the same. GIT_XMPP_TEST_SEED repeats an order.
func TestSyncRandomOrder(t *testing.T) {
	for shape, links := range machineShapes {
		t.Run(shape, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			if given, err := strconv.ParseUint(os.Getenv("GIT_XMPP_TEST_SEED"), 10, 64); err == nil {
				seed = given
			}
			t.Logf("GIT_XMPP_TEST_SEED=%d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			n := newSyncNet(t, testserver.New(t, testserver.Prosody, testserver.Options{}), links, "merge")
			commits := 0
			for step := range randomSteps {
				r := n.all[random.IntN(len(n.all))]
				switch {
				case random.IntN(5) < 3:
					n.commitSomehow(r, strconv.Itoa(step))
					commits++
				case r.daemon == nil:
					r.daemon = r.serve(r.proj)
				default:
					r.daemon.stop()
					r.daemon = nil
				}
			}
			for _, r := range n.all {
				if r.daemon == nil {
					r.daemon = r.serve(r.proj)
				}
			}
			n.await("all commits everywhere", func() bool {
				for _, r := range n.all {
					if found, err := filepath.Glob(filepath.Join(r.proj, "step-*")); err != nil || len(found) < commits {
						return false
					}
				}
				return true
			})
			n.converge()
			n.merged()
		})
	}
}

// commitSomehow commits while others may push to the same repository: git doesn't if one has just done so, and the user tries again.
func (n *syncNet) commitSomehow(r *replica, step string) {
	n.Helper()
	name := "step-" + step
	if err := os.WriteFile(filepath.Join(r.proj, name), []byte(r.name), 0o600); err != nil {
		n.Fatal(err)
	}
	n.await("a commit", func() bool {
		return r.try(r.proj, "git", "add", name).status == 0 && r.try(r.proj, "git", "commit", "--quiet", "--message", name, "--", name).status == 0
	})
}
