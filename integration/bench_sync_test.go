package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// BenchmarkSync is the time from the end of git commit on one machine to the commit on the branch of another, by turns in both directions, both kept in step
// by a serve each.
func BenchmarkSync(b *testing.B) {
	const rounds = 30
	for _, kind := range testserver.XMPP {
		s := testserver.New(b, kind, testserver.Options{})
		bob := newOrigin(b, s, "Bob", "bob")
		alice := newReplica(b, s, "Alice", "alice", bob)
		took := make([]time.Duration, 0, rounds)
		for n := range rounds {
			from, to := bob, alice
			if n%2 == 1 {
				from, to = alice, bob
			}
			id := from.commit(from.proj, fmt.Sprintf("commit-%d", n))
			began := time.Now()
			to.hasSoon(b, id)
			took = append(took, time.Since(began))
		}
		first := took[0]
		slices.Sort(took)
		b.Logf("%s: commit to commit, %d rounds: median %v, fastest %v, slowest %v, first %v", kind, rounds,
			took[rounds/2].Round(time.Millisecond), took[0].Round(time.Millisecond), took[rounds-1].Round(time.Millisecond), first.Round(time.Millisecond))
		b.ReportMetric(float64(took[rounds/2].Milliseconds()), fmt.Sprintf("ms-%s", kind))
	}
}

// hasSoon waits for main to be at a commit, by its loose ref, which costs nothing to look at.
func (r *replica) hasSoon(b *testing.B, id string) {
	b.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if text, err := os.ReadFile(filepath.Join(r.proj, ".git", "refs", "heads", "main")); err == nil && strings.TrimSpace(string(text)) == id {
			return
		}
	}
	b.Fatal("it didn't come")
}
