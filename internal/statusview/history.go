package statusview

import (
	"time"

	"git-remote-xmpp/internal/serve"
)

// maxAnswers is how many answers are kept: rates are those of about so many seconds.
const maxAnswers = 5

// A History is the last answers of a serve, the newest last. The zero value is ready for use.
type History struct{ answers []answer }

type answer struct {
	at time.Time
	Document
}

// Add takes an answer that came at a time.
func (h *History) Add(d Document, at time.Time) {
	if n := len(h.answers); n > 0 && !h.answers[n-1].Since.Equal(d.Since) { // another serve than before
		h.answers = nil
	}
	h.answers = append(h.answers, answer{at, d})
	if len(h.answers) > maxAnswers {
		h.answers = h.answers[1:]
	}
}

// Forget forgets all: there is no serve any more.
func (h *History) Forget() { h.answers = nil }

// newest is the last answer, if there is one.
func (h *History) newest() (d Document, ok bool) {
	if len(h.answers) == 0 {
		return d, false
	}
	return h.answers[len(h.answers)-1].Document, true
}

// rate is how many bytes of a run go in a second, by the answers that have it; known if there are two.
func (h *History) rate(r serve.Run) (perSecond float64, known bool) {
	last := h.answers[len(h.answers)-1].at
	for _, a := range h.answers {
		for _, was := range a.Running {
			if !sameRun(was, r) {
				continue
			}
			took := last.Sub(a.at).Seconds()
			if took <= 0 || moved(was) > moved(r) {
				return 0, false
			}
			return float64(moved(r)-moved(was)) / took, true
		}
	}
	return 0, false
}

func sameRun(a, b serve.Run) bool {
	return a.JID == b.JID && a.Side == b.Side && a.Service == b.Service && a.Repository.UUID == b.Repository.UUID && a.Since.Equal(b.Since)
}

// moved is how many bytes have gone the way that counts.
func moved(r serve.Run) uint64 {
	if r.Side == "fetching" {
		return r.Sent
	}
	return r.Received
}
