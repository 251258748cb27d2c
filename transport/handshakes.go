package transport

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/quic-go/quic-go"
)

const (
	// maxHandshakes is how many connections to us may be in the making at once, maxAccountHandshakes how many from one account, and maxPeerHandshakes from one
	// full JID. Each costs about 85 kB until it is made, or given up after handshakeTimeout.
	maxHandshakes        = 256
	maxAccountHandshakes = 32
	maxPeerHandshakes    = 16
	// easyHandshakes is the share of each limit up to which a first packet is enough to begin one. Whoever has more has to show by a token that it goes on with what
	// it begins (RFC 9000, 8.1.2): that takes one more round trip of the peer's, and no memory of ours.
	easyHandshakes = 0.25
)

// errHandshakes is why a connection is refused, which quic-go tells nobody.
var errHandshakes = errors.New("too many handshakes")

// handshakes counts connections to us that are in the making. The zero value is ready for use.
type handshakes struct {
	mu    sync.Mutex
	total int
	of    map[string]int // by full JID, and by bare JID
}

// begin counts one of a peer's; end takes it back, and may be called again. ok is false if there are too many.
func (h *handshakes) begin(p *peer) (end func(), ok bool) {
	account := p.jid.Bare().String()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fullLocked(p, 1) {
		return nil, false
	}
	if h.of == nil {
		h.of = make(map[string]int)
	}
	h.total++
	h.of[account]++
	h.of[p.full]++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.total--
		for _, who := range []string{account, p.full} {
			if h.of[who]--; h.of[who] == 0 {
				delete(h.of, who)
			}
		}
	}), true
}

// begun is how many from a peer's account are in the making.
func (h *handshakes) begun(p *peer) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of[p.jid.Bare().String()]
}

// fullLocked tells whether a peer may begin none as long as there are limits times share.
func (h *handshakes) fullLocked(p *peer, share float64) bool {
	over := func(n, most int) bool { return float64(n) >= share*float64(most) }
	return over(h.total, maxHandshakes) || over(h.of[p.jid.Bare().String()], maxAccountHandshakes) || over(h.of[p.full], maxPeerHandshakes)
}

// doubt tells QUIC whether a handshake begins only with a token.
func (h *handshakes) doubt(from net.Addr) bool {
	p, ok := from.(*peer)
	if !ok {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fullLocked(p, easyHandshakes)
}

// handshakeEnd is the key of a function in a connection's context that says that its handshake has ended.
type handshakeEnd struct{}

// admit is asked by QUIC for each connection that is begun from outside. The context ends with the connection, made or not.
func (h *handshakes) admit(ctx context.Context, from net.Addr) (context.Context, error) {
	p, ok := from.(*peer)
	if !ok {
		return nil, errors.New("not a peer")
	}
	end, ok := h.begin(p)
	if !ok {
		return nil, errHandshakes
	}
	context.AfterFunc(ctx, end)
	return context.WithValue(ctx, handshakeEnd{}, end), nil
}

// made says that a connection's handshake has ended well.
func (h *handshakes) made(c *quic.Conn) {
	if end, ok := c.Context().Value(handshakeEnd{}).(func()); ok {
		end()
	}
}
