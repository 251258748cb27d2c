package lfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"git-remote-xmpp/internal/disk"
	"git-remote-xmpp/protocol"
)

const (
	// signOfLife is how often the asking side is told that work goes on.
	signOfLife = 5 * time.Second
	// inUseRetry is how often it is tried to go on with an object that another transfer of the same peer is at.
	inUseRetry = 200 * time.Millisecond
)

// Messages are the two directions of an accepted stream.
type Messages interface {
	Next() (protocol.Message, error)
	Write(m protocol.Message) error
}

// A Server answers the requests on one stream, of a peer that may do what it asks for.
type Server struct {
	Messages Messages
	Store    Store
	Owner    string // whose partial uploads: a name for a folder
	Service  protocol.Service
	Log      *slog.Logger

	told time.Time // of a sign of life, or of progress
}

// errRead says that an object's file can't be read.
var errRead = errors.New("object not readable")

// errEnded says that the service ends with a refusal that was told.
var errEnded = errors.New("ended")

// Serve answers requests until the asking side ends its direction, or a transfer fails in its middle. An error that is a protocol.Code
// says how to give up the stream.
func (s *Server) Serve(ctx context.Context) error {
	for {
		m, err := s.Messages.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = s.answer(ctx, m)
		}
		if errors.Is(err, errEnded) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *Server) answer(ctx context.Context, m protocol.Message) error {
	var err error
	get, isGet := m.(*protocol.LFSGet)
	put, isPut := m.(*protocol.LFSPut)
	switch {
	case isGet && s.Service == protocol.LFSDownload:
		err = s.get(OID(get.OID), int64(get.Size), int64(get.Offset))
	case isPut && s.Service == protocol.LFSUpload:
		err = s.put(ctx, OID(put.OID), int64(put.Size))
	default:
		return unexpected(m)
	}
	var refusal *protocol.Refuse
	if errors.As(err, &refusal) {
		return s.Messages.Write(refusal)
	}
	return err
}

// unexpected is the error of a message that has no place where it came.
func unexpected(m protocol.Message) error {
	return fmt.Errorf("unexpected frame of type %#02x: %w", byte(m.Type()), protocol.CodeProtocol)
}

// refuse makes an error of ours what the asking side may know of it.
func (s *Server) refuse(id OID, err error) *protocol.Refuse {
	code := protocol.CodeInternal
	switch {
	case errors.Is(err, ErrNoObject):
		code = protocol.CodeNoObject
	case disk.IsFull(err):
		code = protocol.CodeNoSpace
	case errors.Is(err, protocol.CodeCorrupt):
		code = protocol.CodeCorrupt
	}
	s.Log.Info("object not transferred", "oid", id.String(), "err", err)
	return &protocol.Refuse{Code: code}
}

// get sends what is left of an object.
func (s *Server) get(id OID, size, offset int64) error {
	f, err := s.Store.open(id, size)
	if err != nil {
		return s.refuse(id, err)
	}
	defer f.Close()
	if err := s.Messages.Write(&protocol.LFSReady{Offset: uint64(offset)}); err != nil {
		return err
	}
	if err := send(s.Messages, f, offset, size, func(int64) {}); err != nil {
		return err
	}
	s.Log.Debug("object sent", "oid", id.String(), "size", size, "offset", offset)
	return nil
}

// send sends a file from an offset to its end, as data. progress is told how much of the file was sent.
func send(to Messages, f *os.File, offset, size int64, progress func(int64)) error {
	buf := make([]byte, protocol.MaxDataBytes)
	for offset < size {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), size-offset)], offset)
		if n == 0 && err != nil {
			return fmt.Errorf("%w: %w: %w", protocol.CodeInternal, errRead, err)
		}
		if err := to.Write(protocol.Data(buf[:n])); err != nil {
			return err
		}
		offset += int64(n)
		progress(offset)
	}
	return nil
}

// working tells the asking side that work goes on, from time to time. The error says that it shall not.
func (s *Server) working(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if time.Since(s.told) < signOfLife {
		return nil
	}
	s.told = time.Now()
	return s.Messages.Write(&protocol.LFSWorking{})
}
