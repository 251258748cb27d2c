package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// errStopped is why a stream ends when the agent stops.
var errStopped = fmt.Errorf("%w: git-remote-xmpp serve, whose connection was used, was stopped: try again", transport.ErrLost)

// A relay carries the data of one client: what comes from the socket to the stream, and back.
type relay struct {
	conn    *net.UnixConn
	in      *bufio.Reader
	timeout time.Duration
	queue   chan []byte // data from the client; nil is its end
	cancel  context.CancelCauseFunc
	ended   atomic.Bool // the peer's direction has; the client is to hang up
	writing sync.Mutex
	tasks   sync.WaitGroup
}

func newRelay(conn *net.UnixConn, in *bufio.Reader, timeout time.Duration) *relay {
	return &relay{conn: conn, in: in, timeout: timeout, queue: make(chan []byte, windowFrames+1)}
}

// start begins to read from the client. When that ends, cancel is told why.
func (r *relay) start(cancel context.CancelCauseFunc) {
	r.cancel = cancel
	r.tasks.Go(func() {
		defer close(r.queue)
		cancel(r.receive())
	})
}

// stop hangs up and waits for what belongs to the relay.
func (r *relay) stop() {
	_ = r.conn.Close() // nothing is left to be written
	r.tasks.Wait()
}

// run carries data until the stream has ended and the client has hung up, or ctx is done.
func (r *relay) run(ctx context.Context, stream Stream, peer string) {
	defer stream.Close()
	hook := context.AfterFunc(ctx, func() {
		stream.Cancel(codeOf(context.Cause(ctx)))
		time.AfterFunc(lastWords, func() { _ = r.conn.Close() }) // a client that doesn't read holds up nobody
	})
	defer hook()
	path := stream.Path()
	if r.write(appendFrame(appendFrame(nil, typeOpened, []byte(clip(peer))), typePath, encodePath(path))) != nil {
		return // it is gone
	}
	watching, stop := context.WithCancel(ctx)
	var upload, watch sync.WaitGroup
	defer watch.Wait()
	defer stop()
	watch.Go(func() { r.tellPath(watching, stream, path) })
	upload.Go(func() { r.upload(ctx, stream) })
	r.download(ctx, stream)
	r.ended.Store(true)
	_ = r.conn.SetReadDeadline(time.Now().Add(r.timeout)) // fails on a closed socket only, as the read does
	upload.Wait()
}

// codeOf is what the peer is told of the end of a stream.
func codeOf(cause error) protocol.Code {
	var code protocol.Code
	if errors.As(cause, &code) {
		return code
	}
	return protocol.CodeCancelled
}

// receive reads frames until the client hangs up or gives up. It never waits for the peer: a client that dies is noticed at once.
func (r *relay) receive() error {
	buf := make([]byte, maxDataBytes)
	for ended := false; ; {
		if r.ended.Load() {
			_ = r.conn.SetReadDeadline(time.Now().Add(r.timeout))
		}
		t, payload, err := readFrame(r.in, buf)
		if err != nil {
			return err
		}
		var item []byte
		switch {
		case t == typeCancel:
			code, err := decodeCode(payload)
			return errors.Join(err, code)
		case ended:
			return errMalformed
		case t == typeData:
			item = bytes.Clone(payload)
		case t == typeEnd:
			ended = true
		default:
			return errMalformed
		}
		select {
		case r.queue <- item:
		default:
			return fmt.Errorf("%w: more data than there is room for", errMalformed)
		}
	}
}

// upload writes what comes from the client to the stream, until the client has hung up. What the peer doesn't take is dropped.
func (r *relay) upload(ctx context.Context, stream Stream) {
	var err error
	for item := range r.queue {
		if err == nil {
			if item == nil {
				err = stream.CloseWrite()
			} else {
				_, err = stream.Write(item)
			}
			if err != nil && ctx.Err() == nil {
				_ = r.send(typeStopped, encodeFailure(err)) // a client that is gone needn't know
			}
		}
		if item != nil {
			_ = r.send(typeCredit, nil)
		}
	}
}

// download writes what comes from the stream to the client, until the peer's direction ends.
func (r *relay) download(ctx context.Context, stream Stream) {
	buf := make([]byte, maxDataBytes)
	var out []byte
	for {
		n, err := stream.Read(buf)
		if n > 0 {
			out = appendFrame(out[:0], typeData, buf[:n])
			if err := r.write(out); err != nil {
				r.cancel(err) // it is gone, or doesn't read
				return
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			_ = r.send(typeEnd, nil)
			return
		case errors.Is(context.Cause(ctx), errStopped):
			_ = r.send(typeFailed, encodeFailure(errStopped))
			return
		default:
			_ = r.send(typeFailed, encodeFailure(err)) // one that gave up itself doesn't read it
			return
		}
	}
}

func (r *relay) send(t frameType, payload []byte) error { return r.write(appendFrame(nil, t, payload)) }

func (r *relay) write(frames []byte) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	return write(r.conn, r.timeout, frames)
}
