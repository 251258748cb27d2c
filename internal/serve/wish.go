package serve

import (
	"bytes"
	"sync"

	"git-remote-xmpp/internal/repo"
)

// wishTail is how much of what was said last is looked at again: the longest that [repo.Wants] looks for may have come in two pieces.
const wishTail = len("0000deepen-since ")

// A wish tells a clone from other fetches, by what git says to upload-pack: how much a clone gets is known.
type wish struct {
	mu       sync.Mutex
	offered  uint64 // 0: it is no fetch
	tail     []byte
	any, few bool
}

// offer says how much there is.
func (w *wish) offer(size uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offered = size
}

// see takes note of what git says.
func (w *wish) see(data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.offered == 0 || w.few {
		return
	}
	text := append(w.tail, data...)
	something, part := repo.Wants(text)
	w.any, w.few = w.any || something, part
	w.tail = bytes.Clone(text[max(0, len(text)-wishTail):])
}

// size is about how much goes in all; 0 if that isn't known.
func (w *wish) size() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.any || w.few {
		return 0
	}
	return w.offered
}
