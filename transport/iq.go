package transport

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"mellium.im/xmpp/jid"
)

// readIQ reads an info/query stanza: a request, which is answered, or an answer.
func (s *session) readIQ(l *link, start xmlStart) error {
	q := &iq{}
	if err := l.decode(q, start); err != nil {
		return err
	}
	switch q.Type {
	case "get", "set":
		s.answer(q)
	case "result":
		s.answered(q, nil)
	case "error":
		if q.Error == nil {
			q.Error = &stanzaError{}
		}
		s.answered(q, q.Error)
	}
	return nil
}

// answer answers a request. Pings of our server are answered here, the rest is the handler's.
func (s *session) answer(q *iq) {
	from, err := s.sender(q.From)
	if err != nil {
		return
	}
	kind, payload := "error", unavailable
	switch {
	case q.Type == "get" && q.Ping != nil && s.isServer(from):
		kind, payload = "result", ""
	case q.Type == "get":
		kind, payload = s.handler.request(from, q)
	}
	send := s.out.send
	if q.Knock != nil && kind == "result" { // which is no news
		send = s.out.sendLate
	}
	// Not sent if the queue is full, the link lost, or the answer too large by the id and address that it repeats: as good as lost.
	_ = send(marshalIQ(kind, q.ID, q.From, payload))
}

// sender is who a stanza is from; without an address it is our account's server.
func (s *session) sender(from string) (jid.JID, error) {
	if from == "" {
		return s.cfg.Account, nil
	}
	return jid.Parse(from)
}

func (s *session) isServer(from jid.JID) bool {
	return from.Equal(s.cfg.Account) || from.Equal(s.cfg.Account.Domain())
}

// ask sends an IQ of type get. The answer comes by the reader's goroutine; nil is a result. If the link
// is lost before, there is none.
func (s *session) ask(to, payload string, answer func(*stanzaError)) {
	s.askFor(to, payload, func(_ *iq, err *stanzaError) { answer(err) })
}

// askFor is ask for a result with something in it.
func (s *session) askFor(to, payload string, answer func(*iq, *stanzaError)) {
	id, ok := s.register(to, answer)
	if !ok {
		return
	}
	if err := s.out.send(marshalIQ("get", id, to, payload)); err != nil {
		s.forget(id)
	}
}

var errBusy = errors.New("too many questions wait for an answer")

// query sends an IQ and waits for its result. An error of type *stanzaError is the answer, too.
func (s *session) query(ctx context.Context, kind, to, payload string) (*iq, error) {
	type result struct {
		q   *iq
		err *stanzaError
	}
	answers := make(chan result, 1)
	id, ok := s.register(to, func(q *iq, err *stanzaError) { answers <- result{q, err} })
	if !ok {
		return nil, errBusy
	}
	defer s.forget(id)
	if err := s.out.send(marshalIQ(kind, id, to, payload)); err != nil {
		return nil, err
	}
	select {
	case r := <-answers:
		if r.err != nil {
			return nil, r.err
		}
		return r.q, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer of %s: %w", to, ctx.Err())
	}
}

// forget is for who doesn't wait for an answer any more.
func (s *session) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asked, id)
}

// register makes the id of an IQ and notes who is to answer it. It is false if too many wait for an answer.
func (s *session) register(to string, answer func(*iq, *stanzaError)) (id string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) >= maxPendingIQs {
		return "", false
	}
	s.lastID++
	id = "q" + strconv.FormatUint(s.lastID, 10)
	s.asked[id] = &question{to: to, answer: answer}
	return id, true
}

// answered takes an answer only from whom the question went to (RFC 6120, 8.1.2.1).
func (s *session) answered(q *iq, err *stanzaError) {
	from, parseErr := s.sender(q.From)
	if parseErr != nil {
		return
	}
	s.mu.Lock()
	asked := s.asked[q.ID]
	if asked == nil || asked.to != from.String() && !(asked.to == "" && s.isServer(from)) {
		s.mu.Unlock()
		return
	}
	delete(s.asked, q.ID)
	s.mu.Unlock()
	asked.answer(q, err)
}

func (s *session) forgetQuestions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.asked)
}
