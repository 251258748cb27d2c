package transport

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// QUIC isn't given more packets than it has room for, while it reads. If it doesn't, as those aren't for the connection that is asked, nothing is held up for
// long; nor does it matter what an earlier connection has read.
func TestUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u unread
		var given uint64
		var taken atomic.Uint64
		sent := make(chan struct{}, 1)
		give := func(n int) time.Duration {
			began := time.Now()
			for range n {
				u.give(taken.Load, sent)
				given++
			}
			return time.Since(began)
		}
		if took := give(maxUnread); took != 0 {
			t.Errorf("%d packets took %v", maxUnread, took)
		}
		const later = unreadPatience / 5
		go func() {
			time.Sleep(later)
			sent <- struct{}{} // of something else
			time.Sleep(later)
			taken.Store(1)
			sent <- struct{}{}
		}()
		if took := give(1); took != 2*later {
			t.Errorf("waited %v for room", took)
		}
		if took := give(maxUnread + 1); took != 2*unreadPatience {
			t.Errorf("without a reader it took %v", took)
		}
		taken.Store(given + 1000)
		if took := give(maxUnread); took != 0 {
			t.Errorf("with another connection it took %v", took)
		}
		if taken.Store(0); give(maxUnread) != 0 {
			t.Error("a new connection had to wait")
		}
	})
}
