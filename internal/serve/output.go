package serve

import (
	"io"
	"time"

	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/protocol"
)

// acceptDelay is how long an accept waits for what git says first.
var acceptDelay = 50 * time.Millisecond

// accept tells the peer that its service begins.
func (j *job) accept() error { return j.write(j.accepted()) }

func (j *job) accepted() *protocol.Accept {
	accept := &protocol.Accept{Repository: j.entry.UUID, Name: j.entry.Name, Direct: j.policy.Mode == repo.ModeDirect}
	if j.open.Service == protocol.UploadPack {
		accept.Size = j.entry.Repo.Size()
		j.wish.offer(accept.Size)
	}
	return accept
}

// acceptWithOutput is accept, but waits for git's advertisement, without which the peer can do nothing yet. Servers that leave Nagle's algorithm on, as
// Prosody does, would hold back the second of two messages for a whole round trip. git upload-archive says nothing by itself.
func (j *job) acceptWithOutput() (stop func(), err error) {
	if j.open.Service == protocol.UploadArchive {
		return func() {}, j.accept()
	}
	frame, err := protocol.Append(nil, j.accepted())
	if err != nil {
		return nil, err
	}
	j.writing.Lock()
	j.held = frame
	j.writing.Unlock()
	timer := time.AfterFunc(acceptDelay, func() { _ = j.flush() }) // whoever writes or reads next learns of an error
	return func() { timer.Stop() }, nil
}

// write sends a message.
func (j *job) write(m protocol.Message) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	frames, err := protocol.Append(append(j.frames[:0], j.held...), m)
	if err != nil {
		return err
	}
	j.frames, j.held = frames, nil
	done := j.pace.wait()
	n, err := j.stream.Write(frames)
	if done(n); err != nil {
		return err
	}
	j.watch.Reset(j.timeout)
	return nil
}

// flush writes what is held, if nothing has gone since.
func (j *job) flush() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.held == nil {
		return nil
	}
	frames := j.held
	j.held = nil
	_, err := j.stream.Write(frames)
	return err
}

// drain sends what git writes as frames, until git closes its end.
func (j *job) drain(from io.Reader, frame func([]byte) protocol.Message) error {
	buf := make([]byte, protocol.MaxDataBytes)
	size := len(buf)
	for {
		n, err := from.Read(buf[:size])
		if n > 0 {
			began := time.Now()
			if err := j.write(frame(buf[:n])); err != nil {
				return err
			}
			if j.open.Service == protocol.ReceivePack { // while git or a hook says something, nothing is expected of the peer
				j.pace.forgive()
			}
			size = len(buf)
			if time.Since(began) > slowFrame {
				size = smallFrameBytes
			}
		}
		if err != nil { // git closed it, or guard did
			return nil //nolint:nilerr // Wait tells what became of git
		}
	}
}
