package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"git-remote-xmpp/transport"
)

var errStuck = errors.New("the server is stuck")

// accepted is a connection of a peer's, or why there are no more.
type accepted struct {
	conn *transport.Conn
	err  error
}

// loop serves connections until there are no more, and says why. It also answers who wants to know whether it lives.
func (s *Server) loop(ctx context.Context, begin func(*transport.Conn)) error {
	incoming := make(chan accepted)
	var task sync.WaitGroup
	defer task.Wait()
	task.Go(func() {
		for {
			conn, err := s.Endpoint.Accept(ctx)
			incoming <- accepted{conn, err} // is received to the first error
			if err != nil {
				return
			}
		}
	})
	for {
		select {
		case in := <-incoming:
			if in.err != nil {
				return in.err
			}
			begin(in.conn)
		case answer := <-s.probes:
			close(answer)
		}
	}
}

// Alive goes once through the loop that takes connections, and the locks of what runs and waits. It returns nil when it has; it hangs where they do.
func (s *Server) Alive(ctx context.Context) error {
	if turns, _ := s.live.look(); turns != nil {
		turns.runs()
	}
	s.prepared()
	answer := make(chan struct{})
	select {
	case s.probes <- answer:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errStuck, context.Cause(ctx))
	}
	<-answer // nothing is done in between
	return nil
}

// Summary is what the server does, in a line.
func (s *Server) Summary() string {
	turns, connections := s.live.look()
	running, waiting := 0, 0
	if turns != nil {
		for _, r := range turns.runs() {
			if r.Before == 0 {
				running++
			} else {
				waiting++
			}
		}
	}
	online := "online"
	if !s.Endpoint.Counts().Linked {
		online = "offline"
	}
	return fmt.Sprintf("%s as %s; connections: %d, running: %d, waiting: %d", online, s.Endpoint.JID(), len(connections), running, waiting)
}
