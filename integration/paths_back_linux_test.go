package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Where UDP is blocked for a while, packets go through the server for that while, and directly again afterwards, on the same connection of processes that run on.
func TestPathComesBack(t *testing.T) {
	t.Parallel()
	p := newWatchedPair(t, watchedOptions{alices: "auto", bobs: "auto", noProxy: true})
	push := func(name string) (took time.Duration, udp int) {
		randomFile(t, filepath.Join(p.clone, name), 1<<20)
		want := p.alice.commit(p.clone, name)
		before, began := udpTo(p.left[p.alice].Flows(), nil), time.Now()
		p.at[p.alice].Do(func() { p.alice.git(p.clone, "push", "origin", "main:"+name) })
		if got := p.bob.git(p.served, "rev-parse", name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		return time.Since(began), udpTo(p.left[p.alice].Flows(), nil) - before
	}
	p.at[p.alice].Do(func() { p.alice.git(p.clone, "ls-remote", "origin") })
	both := func(path string) time.Duration {
		began := time.Now()
		p.alice.awaitPath(t, path)
		p.bob.awaitPath(t, path)
		return time.Since(began)
	}
	const packets = 500 // at least, for a MB
	t.Logf("direct after %v", both("direct"))
	if took, udp := push("directly"); udp < packets {
		t.Errorf("%d packets went directly in %v", udp, took)
	}
	for _, long := range []bool{false, true} { // until the same path works again, or another one is looked for
		p.site[p.alice].SetRules("meta l4proto udp drop")
		name := fmt.Sprintf("blocked-%v", long)
		took, udp := push(name)
		if took > longestStall+5*time.Second || udp > packets {
			t.Errorf("it took %v, and %d packets went directly", took, udp)
		}
		t.Logf("a push took %v, in-band after %v", took, both("in-band"))
		if long {
			await(t, "another path to be looked for", func() bool {
				c := p.alice.status().Connections
				return len(c) == 1 && !strings.Contains(c[0].WhyInBand, "silent")
			})
		}
		p.site[p.alice].SetRules("")
		t.Logf("direct again after %v", both("direct"))
		if took, udp := push(name + "-again"); udp < packets {
			t.Errorf("%d packets went directly in %v", udp, took)
		}
	}
	if c := p.alice.status().Connections; len(c) != 1 {
		t.Errorf("connections: %+v", c)
	}
}
