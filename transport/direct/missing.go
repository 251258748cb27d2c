package direct

import "time"

const (
	// lossWindow is how many packets losses are counted over. More than maxLostOf among them, or maxHiddenLoss on average, mean that the network is full.
	lossWindow    = 256
	maxLostOf     = 16
	maxHiddenLoss = 0.03

	// maxAsked is how many packets are asked for at once, and maxAsks how often for each.
	maxAsked = 64
	maxAsks  = 3
	// askAgainExtra is how much longer than a round trip an answer may take.
	askAgainExtra = 10 * time.Millisecond

	minLoss = 0.001 // what less is lost isn't worth to wait for
	maxHold = 50 * time.Millisecond
	// youngFor is for how long after the first packet QUIC may still be in slow start.
	youngFor = 2 * time.Second
)

// A misser notices which numbered packets are missing, and asks for them once more. QUIC, which gets the others without delay, sees them come late, and not lost: a
// network that loses a packet now and then doesn't slow it down, as one does that is full. When the network is full, as many losses or long round trips say, nothing is asked for.
type misser struct {
	ask func(numbers []uint32)

	begun   bool
	first   time.Time // when the first packet came
	highest uint32    // number of the latest packet
	missing map[uint32]missingPacket

	counted, lost int // in the present window
	loss          float64
}

type missingPacket struct {
	asked time.Time
	asks  int
}

// A strain is what else says how full the network is.
type strain struct {
	trip time.Duration // smoothed round trip
	long bool          // it is much longer than the shortest one
}

// take notes a packet that came.
func (m *misser) take(number uint32, now time.Time, s strain) {
	if !m.begun {
		m.begun, m.first, m.highest, m.missing = true, now, number-1, make(map[uint32]missingPacket)
	}
	fresh := int32(number - m.highest)
	if fresh <= 0 {
		delete(m.missing, number)
		return
	}
	m.count(int(fresh))
	m.note(number, now, s)
}

// told takes the peer's word of which packet was its latest.
func (m *misser) told(latest uint32, now time.Time, s strain) {
	if ahead := int32(latest - m.highest); m.begun && ahead > 0 && ahead <= maxAsked {
		m.note(latest+1, now, s)
		m.highest = latest // which is missing itself
	}
}

// count notes fresh packets, of which the last has come.
func (m *misser) count(fresh int) {
	m.counted += fresh
	m.lost += fresh - 1
	if m.counted >= lossWindow {
		m.loss += (float64(m.lost)/float64(m.counted) - m.loss) / 4
		m.counted, m.lost = 0, 0
	}
}

// note asks for what is missing before a packet.
func (m *misser) note(number uint32, now time.Time, s strain) {
	var numbers []uint32
	for n := m.highest + 1; int32(number-n) > 0 && len(numbers) < maxAsked && m.hides(s); n++ {
		m.missing[n] = missingPacket{now, 1}
		numbers = append(numbers, n)
	}
	m.highest = number
	if len(numbers) > 0 {
		m.ask(numbers)
	}
}

// hides tells whether losses are to be made good.
func (m *misser) hides(s strain) bool {
	return m.lost <= maxLostOf && m.loss <= maxHiddenLoss && !s.long && len(m.missing) < maxAsked
}

// holds is how long acknowledgements are to wait: a small part of the round trip while lost packets are sent again. QUIC takes a packet for lost that is acknowledged
// after two round trips, which is just what it takes to ask for it and to get it: as they seem a bit longer to QUIC, that suffices. It ends its slow start when they grow by an eighth.
func (m *misser) holds(now time.Time, s strain) time.Duration {
	switch {
	case !m.hides(s), m.lost == 0 && m.loss <= minLoss:
		return 0
	case now.Sub(m.first) < youngFor:
		return min(s.trip/12, maxHold)
	}
	return min(s.trip/4, maxHold)
}

// look asks again for what hasn't come, and returns when to look next; 0 if nothing is missing.
func (m *misser) look(now time.Time, s strain) (wait time.Duration) {
	var numbers []uint32
	every := s.trip + askAgainExtra
	for n, p := range m.missing {
		left := every - now.Sub(p.asked)
		switch {
		case left > 0:
		case p.asks >= maxAsks || s.long:
			delete(m.missing, n)
			continue
		default:
			m.missing[n] = missingPacket{now, p.asks + 1}
			numbers = append(numbers, n)
			left = every
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	if len(numbers) > 0 {
		m.ask(numbers)
	}
	return wait
}
