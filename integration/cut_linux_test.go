package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	cutPack           = 4 << 20
	cutBytesPerSecond = 2_000_000 // on a wire
	cutTimeout        = "15"      // xmpp.timeout; a silent server is given up after a third of it
	windowOfStream    = 1 << 20   // what may be on its way
	// What may go into messages of what a pack has, beside a window, and what a message's base64, envelope and padding, and TLS, make of that.
	sentAgain = 1.1
	onTheWire = 1.6
)

// A cutPair is a pair each of whom has a wire of its own to the server.
type cutPair struct {
	bob, alice       *home
	bobs, alices     *wire
	daemon           *daemon
	served, clone    string
	source, received string // where the pack comes from, and where it can be seen to grow
	push             bool
	transfer         *started
}

func newCutPair(t *testing.T, s *testserver.Server, bytesPerSecond int) *cutPair {
	t.Helper()
	p := &cutPair{}
	var viaBobs, viaAlices *testserver.Server
	p.bobs, viaBobs = newWire(t, s, bytesPerSecond)
	p.alices, viaAlices = newWire(t, s, bytesPerSecond)
	p.bob, p.alice = newHome(t, viaBobs, "Bob", "bob"), newHome(t, viaAlices, "Alice", "alice")
	for _, h := range []*home{p.bob, p.alice} {
		h.git(h.dir, "config", "--global", "xmpp.timeout", cutTimeout)
		h.git(h.dir, "config", "--global", "receive.unpackLimit", "1")
		h.git(h.dir, "config", "--global", "core.compression", "0") // the pack is as large as its file
		h.env = append(h.env, "GIT_XMPP_TRACE="+h.trace())
	}
	p.served, p.clone = p.bob.newRepo("proj"), filepath.Join(p.alice.dir, "clone")
	p.daemon = p.bob.serve(p.served)
	p.alice.git(p.alice.dir, "clone", "--quiet", p.bob.xmpp(p.served, "invite"), p.clone)
	return p
}

// start begins a transfer of so many random bytes.
func (p *cutPair) start(t *testing.T, push bool, bytes int) {
	t.Helper()
	p.push = push
	if push {
		p.source, p.received = p.clone, p.served
		randomFile(t, filepath.Join(p.clone, "blob"), bytes)
		p.alice.commit(p.clone, "large")
		p.transfer = p.alice.start(t, p.clone, "push", "origin", "main")
		return
	}
	p.source, p.received = p.served, filepath.Join(p.alice.dir, "again")
	randomFile(t, filepath.Join(p.served, "blob"), bytes)
	p.bob.commit(p.served, "large")
	p.transfer = p.alice.start(t, p.alice.dir, "clone", "--no-checkout", "xmpp::bob@localhost/proj", p.received)
}

// sender is the wire on which the pack goes out.
func (p *cutPair) sender() *wire {
	if p.push {
		return p.alices
	}
	return p.bobs
}

// intoMessages is how many bytes of QUIC's packets the sending end has put into messages, when it has ended.
func (p *cutPair) intoMessages(t *testing.T) int {
	t.Helper()
	sender := p.alice
	if !p.push {
		sender = p.bob
	}
	said, err := os.ReadFile(sender.trace())
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, m := range packetBytes.FindAllSubmatch(said, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, n)
	}
	return most
}

var packetBytes = regexp.MustCompile(`packetBytes=([0-9]+)`)

// arrived waits for the end of the transfer, and expects that all has arrived.
func (p *cutPair) arrived(t *testing.T) {
	t.Helper()
	if r := p.transfer.wait(t); r.status != 0 {
		t.Fatal(r)
	}
	if got, want := p.bob.git(p.received, "rev-parse", "main"), p.bob.git(p.source, "rev-parse", "main"); got != want {
		t.Errorf("main is %s, want %s", got, want)
	}
	p.bob.git(p.received, "fsck", "--strict")
}

// thrifty expects that cuts cost little more than what was on its way. It ends the serving side.
func (p *cutPair) thrifty(t *testing.T, before int64, bytes int) {
	t.Helper()
	p.daemon.stop()
	sent, into, size := float64(p.sender().sent.Load()-before), float64(p.intoMessages(t)), float64(bytes)
	t.Logf("of %d bytes %.0f went into messages: %.2f; %.0f on the wire: %.2f; %d and %d logins",
		bytes, into, into/size, sent, sent/size, p.alices.logins.Load(), p.bobs.logins.Load())
	if most := sentAgain*size + windowOfStream; into < size || into > most {
		t.Errorf("more than %.0f into messages, or less than there are", most)
	}
	if most := onTheWire * (size + windowOfStream/sentAgain); sent > most {
		t.Errorf("more than %.0f on the wire", most)
	}
}

// The connection of one end or of both to the server is cut in the middle of a push or a clone, by a reset, by silence on a network that has been left, or with the
// server itself: the same git goes on and finishes.
func TestCuts(t *testing.T) {
	t.Parallel() // it waits most of the time
	reset, silence := (*wire).cut, (*wire).silence
	for _, c := range []struct {
		name, server string
		push         bool
		how          func(*wire)
		alice, bob   bool // whose connection
	}{
		{"push, reset of the sender", testserver.Prosody, true, reset, true, false},
		{"push, reset of both", testserver.Ejabberd, true, reset, true, true},
		{"push, silence of the sender", testserver.Ejabberd, true, silence, true, false},
		{"push, silence of the receiver", testserver.Prosody, true, silence, false, true},
		{"clone, reset of the sender", testserver.Ejabberd, false, reset, false, true},
		{"clone, reset of both", testserver.Prosody, false, reset, true, true},
		{"clone, silence of both", testserver.Prosody, false, silence, true, true},
		{"clone, the server is restarted", testserver.Ejabberd, false, nil, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := testserver.New(t, c.server, testserver.Options{})
			p := newCutPair(t, s, cutBytesPerSecond)
			before := map[bool]int64{true: p.alices.sent.Load(), false: p.bobs.sent.Load()}[c.push]
			p.start(t, c.push, cutPack)
			cuts := 1
			if strings.Contains(c.name, "reset") {
				cuts = 2
			}
			for n := range cuts {
				await(t, "data to flow", func() bool { return incoming(p.received) > int64((n+1)*cutPack/(cuts+1)) })
				if c.alice {
					c.how(p.alices)
				}
				if c.bob {
					c.how(p.bobs)
				}
				if c.how == nil {
					if err := s.Restart(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			began := time.Now()
			p.arrived(t)
			t.Logf("%v after the last cut", time.Since(began).Round(time.Millisecond))
			p.thrifty(t, before, cutPack)
		})
	}
}

// A cut for longer than xmpp.timeout ends the transfer on both sides: each says so, nothing stays, and the next push works when the network is back.
func TestCutForTooLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, server string
		both         bool
	}{
		{"of the pushing side", testserver.Prosody, false},
		{"of the pushing side", testserver.Ejabberd, false},
		{"of both", testserver.Prosody, true},
		{"of both", testserver.Ejabberd, true},
	} {
		t.Run(c.name+", "+c.server, func(t *testing.T) {
			t.Parallel()
			p := newCutPair(t, testserver.New(t, c.server, testserver.Options{}), cutBytesPerSecond)
			p.daemon.stop()
			for _, h := range []*home{p.bob, p.alice} {
				h.git(h.dir, "config", "--global", "xmpp.timeout", faultTimeout)
			}
			p.daemon = p.bob.serve(p.served)
			p.start(t, true, cutPack)
			before := p.bob.git(p.served, "rev-parse", "main")
			await(t, "data to flow", func() bool { return incoming(p.received) > cutPack/4 })
			p.alices.setDown(true)
			p.bobs.setDown(c.both)
			cut := time.Now()
			r := p.transfer.wait(t)
			took := time.Since(cut)
			if said := linesWith(r.stderr, ourPrefix); r.status == 0 || took > givenUpWithin || len(said) != 1 {
				t.Errorf("push, %v: %v", took, r)
			}
			p.bob.onlyServes(t, p.daemon)
			t.Logf("the push gave up after %v, the serving side within %v: %s", took, time.Since(cut), r.stderr)
			p.alice.onlyServes(t, nil)
			if left := remains(t, p.served); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if got := p.bob.git(p.served, "rev-parse", "main"); got != before {
				t.Errorf("main is %s, want %s", got, before)
			}
			p.alices.setDown(false)
			p.bobs.setDown(false)
			began := time.Now()
			if c.both { // which has yet to log in
				await(t, "serve to be back", func() bool { return p.alice.try(p.clone, "git", "ls-remote", "origin").status == 0 })
			}
			p.alice.git(p.clone, "push", "--quiet", "origin", "main")
			t.Logf("the next push was done after %v", time.Since(began))
			if got, want := p.bob.git(p.served, "rev-parse", "main"), p.alice.git(p.clone, "rev-parse", "main"); got != want {
				t.Errorf("main is %s, want %s", got, want)
			}
			p.daemon.stop()
			said, err := os.ReadFile(p.bob.trace())
			if err != nil {
				t.Fatal(err)
			}
			if !cutOff.Match(said) {
				t.Errorf("serve doesn't say why it gave up: %s", said)
			}
		})
	}
}

// cutOff is what a serving side says that gave up, by its own clock, by the servers' word, or because it has been without a server for so long.
var cutOff = regexp.MustCompile(`level=WARN msg=cancelled .* service=receive-pack .*err="(no progress for too long|alice@\S+ went offline|the connection to our xmpp server is lost: )`)

const (
	// cutEvery is how often both ends are cut while cutAgainPack goes, on wires that carry so much, for SURVIVE_SECONDS.
	cutEvery     = 3 * time.Second
	cutAgainPack = 50_000_000
)

// Cuts every three seconds for as long as a large pack goes: it arrives.
func TestCutAgainAndAgain(t *testing.T) {
	seconds, err := strconv.Atoi(os.Getenv("SURVIVE_SECONDS"))
	if err != nil {
		t.Skip("set SURVIVE_SECONDS, to 60 say")
	}
	for _, push := range []bool{true, false} {
		t.Run(map[bool]string{true: "push", false: "clone"}[push], func(t *testing.T) {
			t.Parallel()
			bytesPerSecond := cutAgainPack * 3 / 2 / seconds
			p := newCutPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), bytesPerSecond)
			p.start(t, push, cutAgainPack)
			before, began := p.sender().sent.Load(), time.Now()
			cuts := 0
			for ticker := time.NewTicker(cutEvery); ; {
				select {
				case <-ticker.C:
					p.alices.cut()
					p.bobs.cut()
					cuts++
					t.Logf("%v: %d bytes have come", time.Since(began).Round(time.Second), incoming(p.received))
					if time.Since(began) < time.Duration(seconds)*4*time.Second {
						continue
					}
				case err := <-p.transfer.ended:
					p.transfer.ended <- err
				}
				ticker.Stop()
				break
			}
			p.arrived(t)
			t.Logf("%v, %d cuts", time.Since(began).Round(time.Millisecond), cuts)
			p.thrifty(t, before, cutAgainPack)
		})
	}
}
