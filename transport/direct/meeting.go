package direct

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	// meetWithin is how long a try to meet at a proxy may take.
	meetWithin = 20 * time.Second
	// maxMeetingSignals is how many messages of the peer's wait for a try.
	maxMeetingSignals = 4
)

// A meeting is one try to be joined with the other end at a proxy, of our server or of the peer's.
type meeting struct {
	link       *Link
	generation uint32
	heard      chan signal
	cancel     context.CancelFunc
	done       chan struct{} // closed when the try is over

	// What comes of it; after done.
	conn         net.Conn
	ours, theirs string // passwords
	activated    bool   // by us
	err          error

	// Of Run's goroutine.
	path   *path
	stream *stream
	metAt  time.Time
}

var (
	errNoProxy  = errors.New("our server has no proxy")
	errDeclined = errors.New("the peer's has none for us")
)

// newMeeting begins a try, on the side that doesn't control by the other's first message.
func newMeeting(ctx context.Context, l *Link, generation uint32) *meeting {
	ctx, cancel := context.WithTimeout(ctx, meetWithin)
	m := &meeting{
		link: l, generation: generation, heard: make(chan signal, maxMeetingSignals), cancel: cancel, done: make(chan struct{}), ours: rand.Text(),
	}
	go func() {
		defer l.poke()
		defer close(m.done)
		defer cancel()
		if l.cfg.Controlling {
			m.err = m.begin(ctx)
		} else {
			m.err = m.answer(ctx)
		}
	}()
	return m
}

// hear takes a message of the peer's. One that nobody waits for is of no use.
func (m *meeting) hear(s signal) {
	select {
	case m.heard <- s:
	default:
	}
}

func (m *meeting) await(ctx context.Context) (signal, error) {
	select {
	case s := <-m.heard:
		return s, nil
	case <-ctx.Done():
		return signal{}, fmt.Errorf("the peer doesn't answer: %w", ctx.Err())
	}
}

func (m *meeting) say(s signal) {
	s.generation = m.generation
	m.link.say(s)
}

// begin is the part of the side that controls: it invites to its server's proxy, and the other one may invite in turn if that is of no use.
func (m *meeting) begin(ctx context.Context) error {
	answer, err := m.invite(ctx)
	if err == nil || answer.kind == signalJoin {
		return err
	}
	if answer.kind == 0 {
		var lost error
		if answer, lost = m.await(ctx); lost != nil {
			return errors.Join(err, lost)
		}
	}
	if answer.kind != signalStream {
		return errors.Join(err, errDeclined)
	}
	if joined := m.join(ctx, answer); joined != nil {
		m.say(signal{kind: signalNone})
		return errors.Join(err, joined)
	}
	return nil
}

// answer is the part of the other side.
func (m *meeting) answer(ctx context.Context) error {
	first, err := m.await(ctx)
	if err != nil {
		return err
	}
	err = errDeclined
	if first.kind == signalStream {
		if err = m.join(ctx, first); err == nil {
			return nil
		}
	}
	_, own := m.invite(ctx)
	if own != nil {
		return errors.Join(own, err)
	}
	return nil
}

// invite has the peer come to our server's proxy, and the two streams joined there. It fails with what the peer says instead, if it has said something.
func (m *meeting) invite(ctx context.Context) (answer signal, err error) {
	proxy, conn, err := m.ourProxy(ctx)
	if err != nil {
		m.say(signal{kind: signalNone})
		return signal{}, err
	}
	m.say(signal{kind: signalStream, pwd: m.ours, name: proxy.Name, host: proxy.Host, port: proxy.Port})
	answer, err = m.await(ctx)
	if err == nil && answer.kind != signalJoin {
		err = errors.New("the peer can't connect to our server's proxy")
	}
	if err == nil {
		err = proxy.Activate(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return answer, err
	}
	m.conn, m.theirs, m.activated = conn, answer.pwd, true
	return answer, nil
}

// ourProxy connects to our server's.
func (m *meeting) ourProxy(ctx context.Context) (*Proxy, net.Conn, error) {
	if m.link.cfg.Proxy == nil {
		return nil, nil, errNoProxy
	}
	proxy, err := m.link.cfg.Proxy(ctx)
	if err != nil {
		return nil, nil, err
	}
	if !validHost(proxy.Host) || proxy.Port == 0 {
		return nil, nil, fmt.Errorf("%w: its address is malformed", errNoProxy)
	}
	conn, err := m.link.reach(ctx, proxy.Host, proxy.Port, proxy.Name)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to our server's proxy: %w", err)
	}
	return proxy, conn, nil
}

// join goes where the peer has invited us to.
func (m *meeting) join(ctx context.Context, s signal) error {
	conn, err := m.link.reach(ctx, s.host, s.port, s.name)
	if err != nil {
		return fmt.Errorf("connect to the peer's server's proxy: %w", err)
	}
	m.conn, m.theirs = conn, s.pwd
	m.say(signal{kind: signalJoin, pwd: m.ours})
	return nil
}

// over tells whether the try is, with a connection or an error.
func (m *meeting) over() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// close ends all that belongs to the meeting, and waits for it.
func (m *meeting) close() {
	m.cancel()
	<-m.done
	switch {
	case m.stream != nil:
		m.stream.close()
		if m.path != nil {
			m.path.wait()
		}
	case m.conn != nil:
		_ = m.conn.Close()
	}
}
