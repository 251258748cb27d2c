package direct

import (
	"bytes"
	"testing"
	"time"
)

// Where round trips are long as buffers are full, a break is noticed soon after what they had has come.
func TestSilenceBehindFullBuffers(t *testing.T) {
	now := time.Now()
	var tr tracker
	const trip = 2 * time.Second
	if n := tr.send(now); !tr.answer(n, now.Add(trip)) {
		t.Fatal("an answer isn't taken")
	}
	now = now.Add(trip)
	tr.send(now)
	if tr.silent(now.Add(trip + silentExtra/2)) {
		t.Error("it is silent after little more than a round trip")
	}
	if !tr.silent(now.Add(trip + silentExtra + time.Millisecond)) {
		t.Error("it isn't silent, though all that the buffers had has come")
	}
}

// A path is silent when the probes after the latest answer have waited for too long, and not before.
func TestTracker(t *testing.T) {
	begin := time.Unix(1000, 0)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	var tr tracker
	if tr.waiting(at(0)) != 0 || tr.silent(at(0)) {
		t.Error("waiting for nothing")
	}
	first := tr.send(at(0))
	second := tr.send(at(100))
	if tr.silent(at(499)) || !tr.silent(at(501)) {
		t.Error("not silent after 500 ms")
	}
	if !tr.answer(first, at(300)) || tr.answer(first, at(301)) || tr.answer(0, at(301)) || tr.answer(second+1, at(301)) {
		t.Error("an answer counts once, and only to what was asked")
	}
	if tr.trip != 300*time.Millisecond {
		t.Errorf("a trip of %v", tr.trip)
	}
	if tr.silent(at(999)) || !tr.silent(at(1001)) { // three trips
		t.Error("not silent after three round trips")
	}
	tr.answer(second, at(1001))
	if tr.silent(at(5000)) {
		t.Error("silent with nothing asked")
	}
	for i := range 2 * len(tr.sent) { // all lost
		tr.send(at(5000 + 10*i))
	}
	if tr.answer(second, at(9000)) {
		t.Error("an answer to what was forgotten")
	}
	if !tr.silent(at(20000)) || tr.loss(at(20000)) != 1 {
		t.Errorf("%v silent, loss %v", tr.waiting(at(20000)), tr.loss(at(20000)))
	}
}

func TestLoss(t *testing.T) {
	now := time.Unix(1000, 0)
	var tr tracker
	for i := range 100 {
		n := tr.send(now)
		if i%4 != 0 {
			tr.answer(n, now.Add(10*time.Millisecond))
		}
		now = now.Add(100 * time.Millisecond)
	}
	if loss := tr.loss(now); loss < 0.2 || loss > 0.3 {
		t.Errorf("a loss of %v", loss)
	}
}

// What was lost in a silence isn't held against a path that is back.
func TestLossOfSilence(t *testing.T) {
	const every = 100 * time.Millisecond
	now := time.Unix(1000, 0)
	var tr tracker
	probe := func(probes int, answered bool) {
		for range probes {
			n := tr.send(now)
			if answered {
				tr.answer(n, now.Add(every/10))
			}
			now = now.Add(every)
		}
	}
	probe(40, true)
	for range 2 {
		if probe(12, false); !tr.silent(now) {
			t.Fatal("not silent")
		}
		for range 40 {
			if probe(1, true); tr.silent(now) || tr.loss(now) != 0 {
				t.Fatalf("back: silent %v, loss %v", tr.silent(now), tr.loss(now))
			}
		}
	}
	for range 40 { // losses that are no silence
		probe(2, false)
		probe(2, true)
	}
	if loss := tr.loss(now); loss < 0.4 {
		t.Errorf("a loss of %v", loss)
	}
}

// Only the other end's probes are taken, as they were sent.
func TestSealer(t *testing.T) {
	a, b := newSealer(true, "a-password", "b-password"), newSealer(false, "b-password", "a-password")
	probe := make([]byte, probeBytes)
	a.seal(probe, frameProbe, 7, nil)
	if n, _, ok := b.open(probe); !ok || n != 7 {
		t.Errorf("%d, %v", n, ok)
	}
	if _, _, ok := a.open(probe); ok {
		t.Error("a probe that came back was taken")
	}
	if _, _, ok := newSealer(false, "b-password", "other").open(probe); ok {
		t.Error("a stranger's probe was taken")
	}
	if _, _, ok := b.open(append(bytes.Clone(probe), 0)); ok {
		t.Error("a longer probe was taken")
	}
	for i := range probe {
		changed := bytes.Clone(probe)
		changed[i] ^= 1
		if _, _, ok := b.open(changed); ok {
			t.Errorf("changed at %d, it was taken", i)
		}
	}
}

func TestJoin(t *testing.T) {
	var j joiner
	want := packetOf(1400, 5)
	want[1399] = 9
	one, two := appendPart(nil, framePartOne, 3, want[:700]), appendPart(nil, framePartTwo, 3, want[700:])
	for _, order := range [][2][]byte{{one, two}, {two, one}} {
		if _, ok := j.join(order[0]); ok {
			t.Error("half a packet")
		}
		if _, ok := j.join(order[0]); ok {
			t.Error("the same half twice")
		}
		if got, ok := j.join(order[1]); !ok || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v", len(got), ok)
		}
	}
	if _, ok := j.join(one); ok {
		t.Error("a half of what had been joined")
	}
	if _, ok := j.join(appendPart(nil, framePartTwo, 3+maxJoining, want[700:])); ok {
		t.Error("halves of two packets")
	}
	if _, ok := j.join([]byte{framePartTwo, 0, 3}); ok {
		t.Error("an empty half")
	}
}

// Whatever comes over a path, even with a right MAC, no more numbers are read than may be asked for.
func FuzzOpen(f *testing.F) {
	a, b := newSealer(true, "a-password", "b-password"), newSealer(false, "b-password", "a-password")
	numbers, err := newTagger(b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(frameAsk), 4*maxAsked)
	f.Add(byte(frameProbe), maxDatagramBytes)
	f.Add(byte(frameAnswer), 3)
	f.Fuzz(func(t *testing.T, kind byte, size int) {
		if size < 0 || size > maxDatagramBytes {
			return
		}
		buf := make([]byte, probeBytes+size)
		a.seal(buf, kind, 1, nil)
		if n, more, ok := b.open(buf); !ok || n != 1 || len(more) > maxAsked {
			t.Errorf("%d, %d more, %v", n, len(more), ok)
		}
		for _, b := range [][]byte{buf[:size%len(buf)], buf} {
			if _, _, ok := numbers.open(b); ok {
				t.Error("a probe was taken for a packet")
			}
		}
	})
}
