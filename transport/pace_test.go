package transport

import (
	"testing"
	"time"
)

const (
	paceStep    = 500 * time.Microsecond
	streamBytes = 1422 // of a stream, in a full packet
	pairOnWire  = 4115 // what two full packets take
)

// A slowServer reads so many bytes per second, once a burst is used up, as ejabberd does: it passes on what it reads, and pauses then. What it hasn't read yet waits.
type slowServer struct {
	rate, burst int           // 0: no limit
	trip        time.Duration // both ways

	pace
	now    time.Time
	jitter time.Duration
	known  time.Duration
	look   look
	credit float64
	waits  []sentMessage // for the server
	passed []sentMessage // acknowledgements on their way
	total  int           // bytes of streams that have arrived
}

// A sentMessage has packets that were sent at that time; read is when the server has read it.
type sentMessage struct {
	bytes, onWire int
	sent, read    time.Time
}

func newSlowServer(rate, burst int, trip time.Duration) *slowServer {
	s := &slowServer{rate: rate, burst: burst, trip: trip, now: time.Unix(1e9, 0), credit: float64(burst)}
	s.look = look{latest: trip + time.Millisecond, least: trip + time.Millisecond, known: &s.known}
	return s
}

// run has a writer that always has more, for so long. It returns the longest time that a control message would have waited in front of the server, and the rate.
func (s *slowServer) run(long time.Duration) (wait time.Duration, rate float64) {
	before := s.total
	for end := s.now.Add(long); s.now.Before(end); s.now = s.now.Add(paceStep) {
		s.acknowledge()
		s.write()
		s.read()
		wait = max(wait, s.delay())
	}
	return wait, float64(s.total-before) / long.Seconds()
}

func (s *slowServer) acknowledge() {
	for len(s.passed) > 0 && !s.passed[0].read.Add(s.trip).After(s.now) {
		m := s.passed[0]
		s.passed = s.passed[1:]
		s.look.latest = s.now.Sub(m.sent) + s.jitter
		if s.jitter++; s.jitter > 100 {
			s.jitter = 0
		}
		s.look.least = min(s.look.least, s.look.latest)
		s.total += m.bytes
	}
}

func (s *slowServer) write() {
	s.look.now = s.now
	var packets int
	for s.take(nil, streamBytes, s.look) && packets < 1000 { // QUIC's window
		packets++
	}
	for ; packets > 0; packets -= 2 {
		m := sentMessage{bytes: 2 * streamBytes, onWire: pairOnWire, sent: s.now}
		if packets == 1 {
			m = sentMessage{bytes: streamBytes, onWire: pairOnWire/2 + 100, sent: s.now}
		}
		s.waits = append(s.waits, m)
	}
}

func (s *slowServer) read() {
	s.credit = min(s.credit+float64(s.rate)*paceStep.Seconds(), float64(s.burst))
	for len(s.waits) > 0 && (s.rate == 0 || s.credit >= 0) {
		m := s.waits[0]
		s.waits = s.waits[1:]
		s.credit -= float64(m.onWire)
		m.read = s.now
		s.passed = append(s.passed, m)
	}
}

// delay is when the server would read what is written now.
func (s *slowServer) delay() time.Duration {
	if s.rate == 0 {
		return 0
	}
	before := -s.credit
	for _, m := range s.waits {
		before += float64(m.onWire)
	}
	return time.Duration(max(before, 0) / float64(s.rate) * float64(time.Second))
}

// What waits in front of a server that is slow is soon read, from the first byte on where it is near, and the server never waits for more.
func TestPaceSlow(t *testing.T) {
	for _, c := range []struct {
		name          string
		rate, burst   int
		trip          time.Duration
		first, steady time.Duration // the longest wait in the first 20 s, and after that
	}{
		{"10 kB/s", 10_000, 0, 2 * time.Millisecond, 1700 * time.Millisecond, 1700 * time.Millisecond},
		{"3 kB/s and a burst", 3_000, 20_000, 2 * time.Millisecond, 2800 * time.Millisecond, 2800 * time.Millisecond},
		{"10 kB/s, far", 10_000, 0, 200 * time.Millisecond, 3200 * time.Millisecond, 1700 * time.Millisecond},
		{"100 kB/s, far", 100_000, 0, 200 * time.Millisecond, 2500 * time.Millisecond, 1800 * time.Millisecond},
		{"3 kB/s and a burst, far", 3_000, 20_000, 200 * time.Millisecond, 15 * time.Second, 2800 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSlowServer(c.rate, c.burst, c.trip)
			first, _ := s.run(20 * time.Second)
			_, _ = s.run(20 * time.Second)
			steady, rate := s.run(5 * time.Minute)
			if first > c.first || steady > c.steady {
				t.Errorf("a control message waits %v at first, and %v later", first, steady)
			}
			if most := float64(c.rate) * 2 * streamBytes / pairOnWire; rate < most*9/10 {
				t.Errorf("%.0f bytes per second, of %.0f", rate, most)
			}
		})
	}
}

// Where the server takes all that comes, a pace is soon out of the way.
func TestPaceFast(t *testing.T) {
	for _, trip := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 200 * time.Millisecond} {
		s := newSlowServer(0, 0, trip)
		begin := s.now
		for s.most < maxFallbackBytes && s.now.Sub(begin) < time.Minute {
			s.run(paceStep)
		}
		if took := s.now.Sub(begin); took > serverBurstTime+11*trip {
			t.Errorf("%v: in the way for %v", trip, took)
		}
	}
}

// What was lost on the way doesn't count for good.
func TestPaceLost(t *testing.T) {
	s := newSlowServer(10_000, 0, 2*time.Millisecond)
	s.run(20 * time.Second)
	s.waits, s.passed = nil, nil
	if _, rate := s.run(10 * time.Second); rate != 0 {
		t.Errorf("%.0f bytes per second without an acknowledgement", rate)
	}
	s.waits = append(s.waits, sentMessage{onWire: 300, sent: s.now}) // QUIC asks
	if _, rate := s.run(20 * time.Second); rate < 6000 {
		t.Errorf("%.0f bytes per second after all on the way was lost", rate)
	}
}
