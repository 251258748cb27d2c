package watch

import (
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// maxEvents is how many names events are kept of until they are handled; more
// count as lost.
const maxEvents = 8192

// inbox takes the system's events as they come. Whoever sets up watches may
// have to wait until the system has got rid of an event, so that can't be the
// one who takes it.
type inbox struct {
	wake chan struct{} // has one when there is something to take

	mu     sync.Mutex
	events []fsnotify.Event // one for each name, in the order of their first
	index  map[string]int   // of events, by name
	lost   bool
}

func newInbox() *inbox {
	return &inbox{wake: make(chan struct{}, 1), index: make(map[string]int)}
}

// collect runs until the system's watcher is closed. Errors of it say that
// something couldn't be told, whatever else they say.
func (b *inbox) collect(system *fsnotify.Watcher) {
	errs := system.Errors
	for {
		select {
		case e, ok := <-system.Events:
			if !ok {
				return
			}
			b.put(e)
		case _, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			b.lose()
		}
	}
}

// put takes an event, unless it is of a lock, as no ref's name can end so, or of
// a file's mode or owner only.
func (b *inbox) put(e fsnotify.Event) {
	if strings.HasSuffix(e.Name, ".lock") || e.Op == fsnotify.Chmod {
		return
	}
	b.mu.Lock()
	if i, ok := b.index[e.Name]; ok {
		b.events[i].Op |= e.Op
	} else if len(b.events) < maxEvents {
		b.index[e.Name] = len(b.events)
		b.events = append(b.events, e)
	} else {
		b.lost = true
	}
	b.mu.Unlock()
	b.poke()
}

func (b *inbox) lose() {
	b.mu.Lock()
	b.lost = true
	b.mu.Unlock()
	b.poke()
}

func (b *inbox) poke() {
	select {
	case b.wake <- struct{}{}:
	default: // it hasn't woken up from the last one yet
	}
}

func (b *inbox) take() (events []fsnotify.Event, lost bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	events, lost = b.events, b.lost
	b.events, b.lost = nil, false
	clear(b.index)
	return events, lost
}
