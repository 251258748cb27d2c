package direct

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// Whatever a stranger sends to our addresses, nothing comes back, and nothing is taken for a packet.
func TestStranger(t *testing.T) {
	w := newWire(t)
	w.await(t, true)
	p := w.a.current.Load().carrier.(udp).search
	locals, err := p.agent.GetLocalCandidates()
	if err != nil || len(locals) == 0 {
		t.Fatal(err, len(locals))
	}
	for _, c := range locals {
		stranger, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP(c.Address()), Port: c.Port()})
		if err != nil {
			t.Logf("%s: %v", c, err) // an address of another network
			continue
		}
		for _, b := range strangeWords(t, p) {
			if _, err := stranger.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		// What was sent before is read before what the peer sends now.
		if !w.b.Write(packetOf(99, 1)) {
			t.Fatal("the path is gone")
		}
		expectPacket(t, w.aGot, packetOf(99, 1))
		_ = stranger.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if n, err := stranger.Read(make([]byte, 2000)); err == nil {
			t.Errorf("%s answers a stranger with %d bytes", c, n)
		}
		if _, err := stranger.Write(rightWord(t, p)); err != nil { // so that the silence above means something
			t.Fatal(err)
		}
		_ = stranger.SetReadDeadline(time.Now().Add(deadline))
		if _, err := stranger.Read(make([]byte, 2000)); err != nil {
			t.Errorf("%s doesn't answer who knows the password: %v", c, err)
		}
		_ = stranger.Close()
	}
	select {
	case b := <-w.aGot:
		t.Errorf("a stranger's %d bytes were taken", len(b))
	default:
	}
}

// However many addresses checks come from, which somebody may send again who has seen one, few of them are checked in turn, and the path goes on.
func TestChecksFromEverywhere(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	w.await(t, true)
	p := w.a.current.Load().carrier.(udp).search
	pair, err := p.agent.GetSelectedCandidatePair()
	if err != nil {
		t.Fatal(err)
	}
	local, word := &net.UDPAddr{IP: net.ParseIP(pair.Local.Address()), Port: pair.Local.Port()}, rightWord(t, p)
	for range 2 * maxRemotes {
		replay, err := net.DialUDP("udp", nil, local)
		if err != nil {
			t.Fatal(err)
		}
		defer replay.Close()
		if _, err := replay.Write(word); err != nil {
			t.Fatal(err)
		}
	}
	w.exchange(t) // which comes after
	remotes, err := p.agent.GetRemoteCandidates()
	if err != nil || len(remotes) > maxRemotes || len(remotes) <= maxRemoteCandidates {
		t.Errorf("%d addresses of the peer's: %v", len(remotes), err)
	}
}

// rightWord is what the peer says.
func rightWord(t *testing.T, p *search) []byte {
	t.Helper()
	theirs, _, err := p.agent.GetRemoteUserCredentials()
	if err != nil {
		t.Fatal(err)
	}
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(p.ufrag+":"+theirs), ice.AttrControlled(1),
		ice.PriorityAttr(1), stun.NewShortTermIntegrity(p.pwd), stun.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

// strangeWords are what somebody may try who knows all but the passwords.
func strangeWords(t *testing.T, p *search) [][]byte {
	t.Helper()
	build := func(setters ...stun.Setter) []byte {
		m, err := stun.Build(append([]stun.Setter{stun.BindingRequest, stun.TransactionID}, setters...)...)
		if err != nil {
			t.Fatal(err)
		}
		return m.Raw
	}
	theirs, _, err := p.agent.GetRemoteUserCredentials()
	if err != nil {
		t.Fatal(err)
	}
	name := stun.NewUsername(p.ufrag + ":" + theirs)
	probe := make([]byte, probeBytes+4)
	newSealer(false, "guessed", "guessed").seal(probe, frameProbe, 1, []uint32{1})
	return [][]byte{
		{}, {0}, packetOf(1200, 3), bytes.Repeat([]byte{0xc0}, 1200), probe, {framePartOne, 0, 0, 1}, bytes.Repeat([]byte{0xff}, 1500),
		build(), build(stun.Fingerprint), build(name), build(name, stun.Fingerprint), build(name, ice.UseCandidate(), stun.NewShortTermIntegrity("guessed"), stun.Fingerprint),
		build(stun.NewUsername("x:y"), stun.NewShortTermIntegrity("guessed")), build(name, stun.NewShortTermIntegrity("guessed"))[:30],
	}
}
