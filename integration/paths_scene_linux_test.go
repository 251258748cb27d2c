package integration

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/network"
	"git-remote-xmpp/integration/testserver"
)

const (
	pathsPack = 50 << 20
	// inBandPack is what goes where that takes long.
	inBandPack = 16 << 20
	// longestStall is how long a transfer may stand still, whatever happens to the path.
	longestStall = 3 * time.Second
)

// A pathsScene is Bob, who serves a repository on one host, and Alice, who uses it from another one. The server, with a relay and a proxy, is in the Internet
// between them.
type pathsScene struct {
	internet      *network.Internet
	bobs, alices  *network.Site // may be the same
	at            map[*home]*network.Host
	bob, alice    *home
	served, clone string
	addr          string // the server's, host:port
	bytes         int    // of a transfer
}

// newPathsScene sets it up; hers is nil if Alice is at Bob's site.
func newPathsScene(t *testing.T, his network.SiteOptions, hers *network.SiteOptions) *pathsScene {
	t.Helper()
	i := network.NewInternet(t)
	place := testserver.Place{Host: i.Addr.String(), Enter: i.Do}
	turn := testserver.NewTURN(t, place)
	s := testserver.New(t, testserver.Prosody, testserver.Options{Place: place, TURN: turn, Proxy: true})
	p := &pathsScene{internet: i, bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice"), addr: s.Addr, bytes: pathsPack}
	p.bobs = i.Site(his)
	p.alices = p.bobs
	if hers != nil {
		p.alices = i.Site(*hers)
	}
	p.at = map[*home]*network.Host{p.bob: p.bobs.NewHost(), p.alice: p.alices.NewHost()}
	for h := range p.at {
		h.git(h.dir, "config", "--global", "xmpp.directPath", "auto")
		h.git(h.dir, "config", "--global", "core.compression", "0") // the pack is as large as its file
		h.git(h.dir, "config", "--global", "receive.unpackLimit", "1")
	}
	p.served, p.clone = p.bob.newRepo("proj"), filepath.Join(p.alice.dir, "clone")
	var invite string
	p.at[p.bob].Do(func() {
		p.bob.serve(p.served)
		invite = p.bob.xmpp(p.served, "invite")
	})
	p.at[p.alice].Do(func() { p.alice.git(p.alice.dir, "clone", "--quiet", invite, p.clone) })
	return p
}

// A passage is how a transfer went.
type passage struct {
	took, stall time.Duration // stall is how long nothing came, at most, from the first byte on
	paths       []string      // that were used, one after the other
}

// by expects that a path was used, and if it isn't over UDP that it was said why, and returns the passage.
func (m passage) by(t *testing.T, path string) passage {
	t.Helper()
	if !slices.ContainsFunc(m.paths, func(used string) bool {
		name, why, _ := strings.Cut(used, " ")
		return name == path && (why == "") == (path == "direct" || path == "relayed")
	}) {
		t.Errorf("paths used: %q, want %s", m.paths, path)
	}
	return m
}

// push pushes a large commit. middle, if any, is called once, when a part has arrived.
func (p *pathsScene) push(t *testing.T, middle func()) passage {
	t.Helper()
	randomFile(t, filepath.Join(p.clone, "blob"), p.bytes)
	want := p.alice.commit(p.clone, "large")
	m := p.transfer(t, p.served, middle, p.clone, "push", "origin", "main:large")
	if got := p.bob.git(p.served, "rev-parse", "large"); got != want {
		t.Errorf("large is %s, want %s", got, want)
	}
	p.bob.git(p.served, "fsck", "--strict")
	return m
}

// fetch clones what there is, after a push.
func (p *pathsScene) fetch(t *testing.T) passage {
	t.Helper()
	again := filepath.Join(p.alice.dir, "again")
	m := p.transfer(t, again, nil, p.alice.dir, "clone", "--no-checkout", "--branch", "large", "xmpp::bob@localhost/proj", again)
	if got, want := p.alice.git(again, "rev-parse", "large"), p.bob.git(p.served, "rev-parse", "large"); got != want {
		t.Errorf("large is %s, want %s", got, want)
	}
	p.alice.git(again, "fsck", "--strict")
	return m
}

// transfer runs Alice's git and looks at the pack that grows in a folder, and at the path that Bob's serve tells of.
func (p *pathsScene) transfer(t *testing.T, into string, middle func(), dir string, args ...string) (m passage) {
	t.Helper()
	began := time.Now()
	var git *started
	p.at[p.alice].Do(func() { git = p.alice.start(t, dir, args...) })
	paths := p.watchPaths(t)
	last, arrived := time.Now(), int64(0)
	for ticker := time.NewTicker(10 * time.Millisecond); ; <-ticker.C {
		if now := incoming(into); now > arrived {
			if arrived > 0 {
				m.stall = max(m.stall, time.Since(last))
			}
			last, arrived = time.Now(), now
		}
		if middle != nil && arrived > int64(p.bytes/4) {
			middle()
			middle = nil
		}
		if len(git.ended) > 0 {
			break
		}
		if time.Since(last) > deadline {
			git.wait(t) // ends it
		}
	}
	m.took = time.Since(began)
	m.paths = paths()
	if r := git.wait(t); r.status != 0 {
		t.Fatal(r)
	}
	if middle != nil {
		t.Error("it was over before its middle")
	}
	if m.stall > longestStall {
		t.Errorf("nothing came for %v", m.stall)
	}
	t.Logf("%s: %v, %.1f MB/s, longest stall %v, %v", args[0], m.took.Round(time.Millisecond), float64(p.bytes)/1e6/m.took.Seconds(), m.stall.Round(time.Millisecond), m.paths)
	return m
}

// watchPaths asks Bob's serve again and again by which path Alice is connected, until the function is called, which returns what it said, without repeats:
// the path, and why it isn't a better one.
func (p *pathsScene) watchPaths(t *testing.T) (end func() []string) {
	t.Helper()
	stop, result := make(chan struct{}), make(chan []string)
	go func() {
		var seen []string
		for ticker := time.NewTicker(200 * time.Millisecond); ; {
			for _, c := range p.bob.status().Connections {
				if path := strings.TrimSpace(c.Path + " " + c.WhyInBand); len(seen) == 0 || seen[len(seen)-1] != path {
					seen = append(seen, path)
				}
			}
			select {
			case <-ticker.C:
			case <-stop:
				result <- seen
				return
			}
		}
	}()
	return func() []string {
		close(stop)
		return <-result
	}
}
