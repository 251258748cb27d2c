package direct

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// near50 is a network of 50 ms.
var near50 = strain{trip: 50 * time.Millisecond}

func newMisser() (*misser, *[]uint32) {
	asked := &[]uint32{}
	return &misser{ask: func(numbers []uint32) { *asked = append(*asked, numbers...) }}, asked
}

func (m *misser) takeAll(now time.Time, numbers ...uint32) {
	for _, n := range numbers {
		m.take(n, now, near50)
	}
}

// What is missing is asked for at once, and again after a round trip, three times in all.
func TestMissing(t *testing.T) {
	m, asked := newMisser()
	now := time.Unix(1000, 0)
	m.takeAll(now, 1, 2, 5, 6)
	if !slices.Equal(*asked, []uint32{3, 4}) {
		t.Fatalf("asked for %v", *asked)
	}
	m.takeAll(now, 3)
	if wait := m.look(now, near50); wait != 60*time.Millisecond || len(*asked) != 2 {
		t.Errorf("look after %v, asked for %v", wait, *asked)
	}
	for range 5 {
		now = now.Add(61 * time.Millisecond)
		m.look(now, near50)
	}
	if !slices.Equal(*asked, []uint32{3, 4, 4, 4}) {
		t.Errorf("asked for %v", *asked)
	}
	if wait := m.look(now, near50); wait != 0 || len(m.missing) != 0 {
		t.Errorf("it still waits: %v, %v", wait, m.missing)
	}
}

// A packet that nothing follows is missed by the peer's word of it.
func TestMissingLast(t *testing.T) {
	m, asked := newMisser()
	now := time.Unix(1000, 0)
	m.told(7, now, near50) // before anything has come
	m.takeAll(now, 1, 2)
	m.told(4, now, near50)
	m.told(4, now, near50)
	m.told(2, now, near50)
	if !slices.Equal(*asked, []uint32{3, 4}) {
		t.Errorf("asked for %v", *asked)
	}
	m.told(5000, now, near50)
	if len(*asked) != 2 || m.highest != 4 {
		t.Errorf("asked for %v up to %d", *asked, m.highest)
	}
}

// When the network is full, QUIC is to see it: nothing is asked for.
func TestFullNetwork(t *testing.T) {
	now := time.Unix(1000, 0)
	m, asked := newMisser()
	m.takeAll(now, 1)
	m.take(3, now, strain{trip: 100 * time.Millisecond, long: true})
	if len(*asked) != 0 {
		t.Errorf("asked for %v though round trips are long", *asked)
	}
	m, asked = newMisser()
	for n := uint32(1); n < 2000; n += 2 { // every second one is lost
		m.takeAll(now, n)
	}
	if len(*asked) > maxLostOf+2 {
		t.Errorf("asked for %d of a thousand", len(*asked))
	}
	m, asked = newMisser()
	lost := 0
	for n := uint32(1); n < 20000; n++ { // one in a hundred is
		if n%100 == 50 {
			lost++
			continue
		}
		m.takeAll(now, n)
		m.missing = map[uint32]missingPacket{} // all come soon
	}
	if len(*asked) != lost {
		t.Errorf("asked for %d of %d that were lost by chance", len(*asked), lost)
	}
}

// A packet is sent again as it was, as long as it is kept, and not for ever; and only the other end's tags are taken.
func TestResend(t *testing.T) {
	newPair := func() (tagger, tagger) {
		one, err := newTagger(newSealer(true, "a-password", "b-password"))
		if err != nil {
			t.Fatal(err)
		}
		two, err := newTagger(newSealer(false, "b-password", "a-password"))
		if err != nil {
			t.Fatal(err)
		}
		return one, two
	}
	a, b := newPair()
	var s sender
	var wire []byte
	write := func(d []byte) { wire = bytes.Clone(d) }
	packet := packetOf(900, 4)
	s.send(a, packet, write)
	first := wire
	if n, got, ok := b.open(first); !ok || n != 1 || !bytes.Equal(got, packet) {
		t.Fatalf("%d, %v", n, ok)
	}
	if _, _, ok := a.open(first); ok {
		t.Error("a packet that came back was taken")
	}
	for i := range numberedHeader + tagged {
		changed := bytes.Clone(first)
		changed[i] ^= 1
		if _, _, ok := b.open(changed); ok && i > 0 { // the type is another frame's
			t.Errorf("changed at %d, it was taken", i)
		}
	}
	if _, _, ok := b.open(first[:numberedHeader]); ok {
		t.Error("an empty packet was taken")
	}
	twice := append(bytes.Clone(first), first...)
	for i := range maxResends + 1 {
		var again []byte
		s.resend(1, func(b []byte) { again = append(again, b...) })
		if sent := bytes.Equal(again, twice); sent != (i < maxResends) {
			t.Errorf("sent again %v, at the time %d", sent, i)
		}
	}
	for range sentPackets {
		s.send(a, packet, write)
	}
	wire = nil
	s.resend(1, write)
	s.resend(sentPackets+2, write)
	s.resend(0, write)
	if wire != nil {
		t.Error("something else was sent again")
	}
	s.forget()
	s.resend(s.latest(), write)
	if wire != nil {
		t.Error("what was forgotten was sent again")
	}
}

// Acknowledgements wait for a small part of a round trip, as long as packets are lost and the network isn't full.
func TestHold(t *testing.T) {
	began := time.Now()
	for name, c := range map[string]struct {
		lost int // of a window
		age  time.Duration
		s    strain
		want time.Duration
	}{
		"nothing lost": {0, time.Minute, strain{trip: 60 * time.Millisecond}, 0},
		"slow start":   {3, youngFor - 1, strain{trip: 60 * time.Millisecond}, 5 * time.Millisecond},
		"later":        {3, youngFor, strain{trip: 60 * time.Millisecond}, 15 * time.Millisecond},
		"far":          {3, time.Minute, strain{trip: time.Second}, maxHold},
		"long trips":   {3, time.Minute, strain{trip: 60 * time.Millisecond, long: true}, 0},
		"many lost":    {maxLostOf + 1, time.Minute, strain{trip: 60 * time.Millisecond}, 0},
	} {
		m := misser{ask: func([]uint32) {}}
		m.take(1, began, c.s)
		for n := range uint32(c.lost) {
			m.take(3+2*n, began, c.s)
			m.take(2+2*n, began, c.s) // it comes late
		}
		if got := m.holds(began.Add(c.age), c.s); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
