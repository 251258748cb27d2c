package serve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// play opens a stream and does as planned. The error says what serve did wrong.
func (p *scripted) play(conn *transport.Conn, plan plan) error {
	ctx, cancel := context.WithTimeout(conn.Context(), crowdPatience)
	defer cancel()
	s, err := conn.OpenStream(ctx)
	if err != nil {
		return err
	}
	defer func() { s.CancelRead(16); s.CancelWrite(16) }() // what has ended isn't cancelled
	_ = s.SetDeadline(time.Now().Add(crowdPatience))
	reader := protocol.NewReader(s)
	if plan.kind == forbidden {
		plan.open.Repository = "hidden"
	}
	if plan.kind == garbage {
		if _, err := s.Write(plan.noise); err != nil {
			return err
		}
		return p.ended(plan, reader)
	}
	if err := protocol.Write(s, plan.open); err != nil {
		return err
	}
	switch plan.kind {
	case giveUp:
		stop := time.AfterFunc(plan.pause, func() { s.CancelRead(16); s.CancelWrite(16) })
		defer stop.Stop()
	case hangUp:
		_ = s.Close()
	}
	if err := p.accepted(reader); err != nil {
		return p.expected(plan, err)
	}
	switch plan.kind {
	case garbageThen:
		_, err = s.Write(plan.noise)
	case finish, giveUp:
		err = p.request(s, plan)
	}
	if err != nil {
		return p.expected(plan, err)
	}
	return p.ended(plan, reader)
}

var errRefused = errors.New("refused")

// accepted waits for the turn.
func (p *scripted) accepted(reader *protocol.Reader) error {
	for {
		m, err := reader.Next()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *protocol.Queued:
			p.count("queued")
		case *protocol.Accept:
			return nil
		case *protocol.Refuse:
			return fmt.Errorf("%w: %w", errRefused, m)
		default:
			return fmt.Errorf("unexpected %+v", m)
		}
	}
}

// request sends what git would: a new branch, or nothing.
func (p *scripted) request(s *transport.Stream, plan plan) error {
	request := []byte("0000")
	if plan.open.Service == protocol.ReceivePack {
		line := strings.Repeat("0", 40) + " " + p.tip + " " + plan.ref + "\x00report-status"
		request = append([]byte(pktLine(line)+"0000"), p.pack...)
	}
	return protocol.Write(s, protocol.Data(request))
}

// ended reads to the end of a stream.
func (p *scripted) ended(plan plan, reader *protocol.Reader) error {
	var output []byte
	for {
		m, err := reader.Next()
		if err != nil {
			return p.expected(plan, err)
		}
		switch m := m.(type) {
		case protocol.Data:
			output = append(output, m...)
		case protocol.Stderr:
		case *protocol.Done:
			p.count(plan.kind.String() + ": done")
			return p.done(plan, m, output)
		default:
			return fmt.Errorf("unexpected %+v", m)
		}
	}
}

// done checks the end of a service that has run.
func (p *scripted) done(plan plan, done *protocol.Done, output []byte) error {
	if plan.kind != finish {
		return nil // of those that hang up git's exit status says something, and a timer may have been late
	}
	if done.Status != 0 {
		return fmt.Errorf("exit status %d: %q", done.Status, output)
	}
	if plan.open.Service == protocol.ReceivePack {
		if !bytes.Contains(output, []byte("ok "+plan.ref)) {
			return fmt.Errorf("the push isn't reported: %q", output)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.told[plan.ref] = plan.open.Repository
	}
	return nil
}

// expected is nil if a stream had to end with an error.
func (p *scripted) expected(plan plan, err error) error {
	var reset *transport.StreamError
	cut := errors.As(err, &reset)
	ok := false
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // never
	case plan.kind == giveUp:
		ok = cut && !reset.Remote || errors.Is(err, io.EOF)
	case plan.kind == leave:
		ok = cut && reset.Remote && protocol.Code(reset.ErrorCode) == protocol.CodeTimeout
	case plan.kind == forbidden:
		ok = errors.Is(err, protocol.CodeNoRepository)
	case plan.kind == garbage, plan.kind == garbageThen:
		ok = cut && reset.Remote
	case plan.kind == hangUp:
		ok = cut && reset.Remote
	}
	if !ok {
		return err
	}
	p.count(plan.kind.String())
	return nil
}
