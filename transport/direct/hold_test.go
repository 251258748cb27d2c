package direct

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Acknowledgements that still wait, or come, as a path ends disturb nobody.
func TestHoldAtTheEnd(t *testing.T) {
	t.Parallel()
	for range 2000 {
		ours, theirs := net.Pipe()
		_ = theirs.Close()
		p, err := newPath(New(Config{}), pipe{ours}, newSealer(true, "a", "b"))
		if err != nil {
			t.Fatal(err)
		}
		p.hold.Store(int64(50 * time.Microsecond))
		var w sync.WaitGroup
		begin := make(chan struct{})
		for range 2 {
			w.Go(func() {
				<-begin
				for range 20 {
					p.write(packetOf(ackBytes, 1))
				}
			})
		}
		close(begin)
		_ = ours.Close()
		p.wait()
		w.Wait()
	}
}

// A pipe is a carrier.
type pipe struct{ net.Conn }

func (pipe) room() bool                            { return true }
func (pipe) patience() time.Duration               { return silentAfter }
func (pipe) reliable() bool                        { return false }
func (pipe) describe() (k wayKind, address string) { return wayDirect, "" }
