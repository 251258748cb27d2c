package xmppserver

import (
	"sync"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stream"
)

// sessions is the table of who is there. Its lock also orders presence: a change
// is written to all who see it before the next one is looked at, so that nobody
// is left with an old state. Nothing waits while holding it.
type sessions struct {
	mu     sync.RWMutex
	online map[string]map[string]*client // by local part, by resource
}

// enter registers a client. One that has the same address loses it, with
// <conflict/> (RFC 6120 §7.7.2.2).
func (s *Server) enter(c *client) {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	local, resource := c.jid.Localpart(), c.jid.Resourcepart()
	if old := s.sessions.online[local][resource]; old != nil {
		s.remove(old)
		old.kick(stream.Conflict)
	}
	if s.sessions.online[local] == nil {
		s.sessions.online[local] = make(map[string]*client)
	}
	s.sessions.online[local][resource] = c
}

// leave unregisters a client and tells all who saw it. It may be called again.
func (s *Server) leave(c *client) {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	s.remove(c)
}

// remove is leave for who holds the lock.
func (s *Server) remove(c *client) {
	if c.gone {
		return
	}
	c.gone = true
	local := c.jid.Localpart()
	delete(s.sessions.online[local], c.jid.Resourcepart())
	if len(s.sessions.online[local]) == 0 {
		delete(s.sessions.online, local)
	}
	s.hide(c, presenceOf(c, "unavailable"))
	for _, resources := range s.sessions.online {
		for _, other := range resources {
			delete(other.directed, c)
		}
	}
}

// find is the client at a full address of ours, or nil.
func (s *Server) find(full jid.JID) *client {
	s.sessions.mu.RLock()
	defer s.sessions.mu.RUnlock()
	return s.sessions.online[full.Localpart()][full.Resourcepart()]
}

// willing are the resources of an account that want messages to the account.
func (s *Server) willing(local string) (found []*client) {
	s.sessions.mu.RLock()
	defer s.sessions.mu.RUnlock()
	for _, c := range s.sessions.online[local] {
		if c.shown != nil && c.shown.priority >= 0 {
			found = append(found, c)
		}
	}
	return found
}

// available are the resources of an account that show themselves. The caller
// holds the lock.
func (s *Server) available(local string) (found []*client) {
	for _, c := range s.sessions.online[local] {
		if c.shown != nil {
			found = append(found, c)
		}
	}
	return found
}

// audience are those who see c's presence, and whose presence c sees: the
// available resources of its own account, c among them, and of its contacts. The
// caller holds the lock.
func (s *Server) audience(c *client) []*client {
	local := c.jid.Localpart()
	found := s.available(local)
	for _, contact := range s.accounts.contacts[local] {
		found = append(found, s.available(contact)...)
	}
	return found
}
