package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gosrc.io/xmpp/stanza"
	"mellium.im/xmpp/jid"
)

const (
	nsMUC = "http://jabber.org/protocol/muc"
	// selfPresence is the status of an occupant's own presence (XEP-0045, 7.2.2).
	selfPresence = "110"
	// maxNicks is how many nicks are tried in a room.
	maxNicks = 5
	// maxHearings is to how many addresses something may be said at once.
	maxHearings = 64
	// refusedWithin is how long it is waited for the word that a text can't be delivered to a person; nobody says that it was.
	refusedWithin = 2 * time.Second
)

// Say sends a text to a person, as a chat message, or to the people in a room (XEP-0045), which is joined for that and left again. The text is one that a
// person reads; it is on its sender to keep it short. A room has taken it when Say returns; of a person's server it has come to no refusal until then.
func (e *Endpoint) Say(ctx context.Context, to jid.JID, text string) error {
	to = to.Bare()
	heard, done, err := e.session.hear(to)
	if err != nil {
		return err
	}
	defer done()
	room, err := e.session.isRoom(ctx, to)
	switch {
	case err != nil:
		return fmt.Errorf("say something to %s: %w", to, err)
	case room:
		err = e.session.sayInRoom(ctx, to, text, heard)
	default:
		err = e.session.sayTo(ctx, to, text, heard)
	}
	if err != nil {
		return fmt.Errorf("say something to %s: %w", to, err)
	}
	return nil
}

// isRoom asks whether an address is that of a room. One that isn't there must not be made by our joining it.
func (s *session) isRoom(ctx context.Context, to jid.JID) (bool, error) {
	query := "<query xmlns='" + stanza.NSDiscoInfo + "'/>"
	answer, err := s.query(ctx, "get", to.String(), query)
	if err == nil {
		return answer.isConference(), nil
	}
	answer, domainErr := s.query(ctx, "get", to.Domain().String(), query)
	if domainErr == nil && answer.isConference() {
		return false, fmt.Errorf("there is no such room: %w", err)
	}
	return false, context.Cause(ctx) // what a person's server says of an account is that it is none of our business
}

func (q *iq) isConference() bool {
	if q.Disco != nil {
		for _, identity := range q.Disco.Identities {
			if identity.Category == "conference" {
				return true
			}
		}
	}
	return false
}

// sayInRoom joins a room, says the text, waits until the room repeats it, and leaves.
func (s *session) sayInRoom(ctx context.Context, room jid.JID, text string, heard *hearing) error {
	occupant, err := s.join(ctx, room, heard)
	if err != nil {
		return err
	}
	defer func() { _ = s.out.send(presenceStanza(occupant.String(), "unavailable", "")) }() // without a link we have left, too
	if err := s.out.send(textMessage(room, stanza.MessageTypeGroupchat, text)); err != nil {
		return err
	}
	for {
		said, err := heard.next(ctx)
		switch {
		case err != nil:
			return err
		case said.kind == string(stanza.MessageTypeError):
			return said.err
		case said.kind == string(stanza.MessageTypeGroupchat) && said.from.Equal(occupant):
			return nil
		}
	}
}

// join enters a room under the account's name, or one like it.
func (s *session) join(ctx context.Context, room jid.JID, heard *hearing) (occupant jid.JID, err error) {
	for n := 1; n <= maxNicks; n++ {
		nick := s.cfg.Account.Localpart() + " (git)"
		if n > 1 {
			nick = fmt.Sprintf("%s (git %d)", s.cfg.Account.Localpart(), n)
		}
		if occupant, err = room.WithResource(nick); err != nil {
			return occupant, err
		}
		if err = s.out.send(presenceStanza(occupant.String(), "", "<x xmlns='"+nsMUC+"'><history maxstanzas='0'/></x>")); err != nil {
			return occupant, err
		}
		in, refused, err := heard.entered(ctx)
		switch {
		case err != nil:
			return occupant, err
		case refused == nil:
			return in, nil
		case refused.condition() != "conflict":
			return occupant, fmt.Errorf("it doesn't let us in: %w", refused)
		}
	}
	return occupant, errors.New("it has somebody else under each of our names")
}

// sayTo sends a chat message.
func (s *session) sayTo(ctx context.Context, to jid.JID, text string, heard *hearing) error {
	if err := s.out.send(textMessage(to, stanza.MessageTypeChat, text)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, refusedWithin)
	defer cancel()
	for {
		said, err := heard.next(ctx)
		switch {
		case err != nil:
			return nil //nolint:nilerr // nobody has refused it
		case said.kind == string(stanza.MessageTypeError):
			return said.err
		}
	}
}

func textMessage(to jid.JID, kind stanza.StanzaType, text string) []byte {
	return []byte("<message to='" + escape(to.String()) + "' type='" + string(kind) + "'><body>" + escape(text) + "</body></message>")
}

// A hearing gets what comes from an address while we say something to it: what the room repeats of what we have said, our own presence in it, and errors.
type hearing struct{ replies chan reply }

type reply struct {
	from     jid.JID
	presence bool
	kind     string
	err      *stanzaError
}

// hearings are those that there are, by bare JID.
type hearings struct {
	mu sync.Mutex
	of map[string]*hearing
}

var errBusySaying = errors.New("too much is being said")

// hear begins a hearing; one at a time for an address.
func (s *session) hear(to jid.JID) (h *hearing, done func(), err error) {
	s.hearings.mu.Lock()
	defer s.hearings.mu.Unlock()
	key := to.String()
	if s.hearings.of[key] != nil || len(s.hearings.of) >= maxHearings {
		return nil, nil, errBusySaying
	}
	if s.hearings.of == nil {
		s.hearings.of = make(map[string]*hearing)
	}
	h = &hearing{make(chan reply, 16)}
	s.hearings.of[key] = h
	return h, func() {
		s.hearings.mu.Lock()
		defer s.hearings.mu.Unlock()
		delete(s.hearings.of, key)
	}, nil
}

// heardOf hands on what came from somebody, if there is a hearing. It doesn't block: what is too much gets lost.
func (s *session) heardOf(from string, r reply) {
	s.hearings.mu.Lock()
	defer s.hearings.mu.Unlock()
	if len(s.hearings.of) == 0 {
		return
	}
	var err error
	if r.from, err = jid.Parse(from); err != nil {
		return
	}
	if h := s.hearings.of[r.from.Bare().String()]; h != nil {
		select {
		case h.replies <- r:
		default:
		}
	}
}

func (h *hearing) next(ctx context.Context) (reply, error) {
	select {
	case r := <-h.replies:
		return r, nil
	case <-ctx.Done():
		return reply{}, fmt.Errorf("no answer: %w", context.Cause(ctx))
	}
}

// entered waits until a room has let us in, under this name, or hasn't.
func (h *hearing) entered(ctx context.Context) (occupant jid.JID, refused *stanzaError, err error) {
	for {
		r, err := h.next(ctx)
		switch {
		case err != nil:
			return occupant, nil, err
		case !r.presence:
		case r.kind == string(stanza.PresenceTypeError):
			return occupant, cmp.Or(r.err, &stanzaError{}), nil
		case r.kind == "":
			return r.from, nil, nil
		}
	}
}
