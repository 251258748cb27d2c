package serve

import (
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/transport"
)

const (
	// maxConnections is how many connections are served at once, maxKeyConnections how many of one key.
	maxConnections    = 128
	maxKeyConnections = 32
	// maxStrangers is how many of them may be of keys that nobody knows, which have yet to show an invite or are being refused, and
	// maxAccountStrangers how many of those may come from one account: whoever may use it can have any number of keys.
	maxStrangers        = 64
	maxAccountStrangers = 8
	// maxKeyStreams is how many streams of one key are served at once, over all its connections. It is less than maxWaiting, so that no key alone fills a queue.
	maxKeyStreams = 128
)

// admitStranger takes a slot for a connection whose key isn't known; known is to be called when it is, or the connection is closed.
func (s *Server) admitStranger(conn *transport.Conn) (known func(), ok bool) {
	key, ok := peers.KeyOf(conn.Key())
	if ok {
		if _, err := s.Store.ByKey(key); err == nil {
			return func() {}, true
		}
	}
	return s.strangers.take(conn.Peer().Bare().String(), maxAccountStrangers, maxStrangers)
}
