package lfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"git-remote-xmpp/internal/disk"
	"git-remote-xmpp/protocol"
)

// put takes in an object, or the rest of one.
func (s *Server) put(ctx context.Context, id OID, size int64) error {
	s.told = time.Now()
	s.Store.sweep(s.told)
	p, err := s.claim(ctx, id)
	if err != nil {
		return err
	}
	defer p.close()
	there, err := s.Store.has(id, size)
	if err != nil {
		return s.refuse(id, err)
	}
	if there {
		return s.Messages.Write(&protocol.LFSStored{})
	}
	if err := p.load(size, func() error { return s.working(ctx) }); err != nil {
		return s.refuse(id, err)
	}
	offset := p.Size
	err = s.take(p, id, size)
	if errors.Is(err, protocol.CodeCorrupt) && offset > 0 { // the part from before may be what is wrong
		offset = 0
		err = s.take(p, id, size)
	}
	if err != nil {
		return err
	}
	s.Log.Debug("object received", "oid", id.String(), "size", size, "offset", offset)
	return s.Messages.Write(&protocol.LFSStored{})
}

// claim opens what is there of an object. While another transfer of the same peer is at it, this one waits.
func (s *Server) claim(ctx context.Context, id OID) (*partial, error) {
	for {
		p, err := s.Store.partial(s.Owner, id)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, errInUse) {
			return nil, s.refuse(id, err)
		}
		select {
		case <-time.After(inUseRetry):
		case <-ctx.Done():
		}
		if err := s.working(ctx); err != nil {
			return nil, err
		}
	}
}

// take asks for the rest of an object and stores it. If it isn't the object nothing is left of it.
func (s *Server) take(p *partial, id OID, size int64) error {
	if err := s.Messages.Write(&protocol.LFSReady{Offset: uint64(p.Size)}); err != nil {
		return err
	}
	if err := s.receive(p, id, size); err != nil {
		return err
	}
	if !p.is(id) {
		if err := p.reset(); err != nil {
			return s.refuse(id, err)
		}
		return s.refuse(id, protocol.CodeCorrupt)
	}
	err := s.meanwhile(p.sync)
	if err == nil {
		err = p.take(func(file string) error { return s.Store.add(id, file) })
	}
	if err != nil {
		return s.refuse(id, err)
	}
	return nil
}

// receive takes in data until the object is whole.
func (s *Server) receive(p *partial, id OID, size int64) error {
	for p.Size < size {
		m, err := s.Messages.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w in the middle of an object", protocol.CodeCancelled)
		}
		if err != nil {
			return err
		}
		data, ok := m.(protocol.Data)
		if !ok || int64(len(data)) > size-p.Size {
			return unexpected(m)
		}
		if err := p.write(data); err != nil {
			if disk.IsFull(err) {
				_ = p.reset() // others need the room
			}
			return s.end(s.refuse(id, err))
		}
	}
	return nil
}

// end tells a refusal while data comes in, after which nothing else can follow.
func (s *Server) end(refusal *protocol.Refuse) error {
	if err := s.Messages.Write(refusal); err != nil {
		return err
	}
	return errEnded
}

// meanwhile does work that may take long, and tells the asking side that it goes on.
func (s *Server) meanwhile(work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	ticker := time.NewTicker(signOfLife)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
			_ = s.Messages.Write(&protocol.LFSWorking{}) // what comes next fails as well
		}
	}
}
