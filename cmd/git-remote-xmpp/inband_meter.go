package main

import (
	"bytes"
	"context"
	"sync"
	"time"

	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/protocol"
)

// maxSaidBytes is how much is kept of what git and the service say before the pack, each: advertisements of some 50,000 refs.
const maxSaidBytes = 4 << 20

// packBegin is the begin of a pack of version 2, the only one that git sends (gitformat-pack(5)).
var packBegin = []byte("PACK\x00\x00\x00\x02")

// A meter sees what goes through a service of git's: when the pack begins, how much has gone of it, and what was said before it.
type meter struct {
	mu         sync.Mutex
	push       bool
	sent, came []byte // before the pack; no more than maxSaidBytes
	recent     []byte // the last bytes before it
	began      time.Time
	bytes      int64
}

// begin says what the service is.
func (m *meter) begin(service protocol.Service) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.push = service.Writes()
}

// see takes note of data on its way.
func (m *meter) see(sent bool, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch packs := sent == m.push; {
	case m.began.IsZero():
		m.keep(sent, data)
		if packs {
			m.look(data)
		}
	case packs:
		m.bytes += int64(len(data))
	}
}

func (m *meter) keep(sent bool, data []byte) {
	to := &m.came
	if sent {
		to = &m.sent
	}
	*to = append(*to, data[:min(len(data), maxSaidBytes-len(*to))]...)
}

// look looks for the pack.
func (m *meter) look(data []byte) {
	text := append(m.recent, data...)
	if at := bytes.Index(text, packBegin); at >= 0 {
		m.began, m.bytes, m.recent = time.Now(), int64(len(text)-at), nil
		return
	}
	m.recent = bytes.Clone(text[max(0, len(text)-len(packBegin)+1):])
}

// mayDraw tells whether git may be at work that it has meters of, after something was sent or came: at making the pack of a push, or at what it has fetched.
func (m *meter) mayDraw(sent bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.push {
		return m.began.IsZero()
	}
	return !sent
}

// seen is when the pack began, and how much of it has gone.
func (m *meter) seen() (began time.Time, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.began, m.bytes
}

// said is what was said before the pack.
func (m *meter) said() (push bool, sent, came []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.push, m.sent, m.came
}

// estimate is about how large the pack is: by what git has to push, or, where it clones, by what there is; 0 if that isn't known. local is nil outside of a repository.
func (m *meter) estimate(ctx context.Context, local *repo.Repo, accept *protocol.Accept) (int64, error) {
	push, sent, came := m.said()
	_, part := repo.Wants(sent)
	switch {
	case push && local != nil && len(came) < maxSaidBytes && len(sent) < maxSaidBytes:
		return local.PushSize(ctx, came, sent)
	case push || accept.Size < inbandBytes || part:
		return 0, nil
	case local == nil:
		return int64(accept.Size), nil
	}
	empty, err := local.Empty(ctx)
	if err != nil || !empty {
		return 0, err
	}
	return int64(accept.Size), nil
}
