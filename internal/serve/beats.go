package serve

import (
	"sync"

	"git-remote-xmpp/protocol"
)

// beats tell the pushes of a client that it moves elsewhere. The zero value is ready for use.
type beats struct {
	mu        sync.Mutex
	listeners map[string]map[chan struct{}]bool // by the client's UUID
}

// listen returns what gets the beats of a client until stop is called.
func (b *beats) listen(client string) (beat <-chan struct{}, stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = make(map[string]map[chan struct{}]bool)
	}
	if b.listeners[client] == nil {
		b.listeners[client] = make(map[chan struct{}]bool)
	}
	c := make(chan struct{}, 1)
	b.listeners[client][c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if delete(b.listeners[client], c); len(b.listeners[client]) == 0 {
			delete(b.listeners, client)
		}
	}
}

func (b *beats) send(client string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.listeners[client] {
		select {
		case c <- struct{}{}:
		default: // it has one to come
		}
	}
}

// listen keeps a push alive while its client uploads objects of Git LFS: git does that in the hook pre-push, when it has seen the advertisement
// already, and both ends would take its silence for a stop. An empty frame is no data for git, and progress for both. stop
// is to be called when the push goes on, and may be called again.
func (j *job) listen() (stop func()) {
	if j.open.Service != protocol.ReceivePack {
		return func() {}
	}
	beat, forget := j.server.beats.listen(j.open.Client)
	var task sync.WaitGroup
	done := make(chan struct{})
	task.Go(func() {
		for {
			select {
			case <-beat:
				j.pace.forgive()
				_ = j.write(protocol.Data(nil)) // whoever writes or reads next learns of an error
			case <-done:
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		forget()
		close(done)
		task.Wait()
	})
}
