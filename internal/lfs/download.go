package lfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
)

// ours is the owner of partial downloads.
const ours = "own"

// Download gets an object and returns the file that it is in, in the store's file system; it is the caller's then. progress is told
// how much of it is there.
func (c *Client) Download(ctx context.Context, id OID, size int64, progress func(int64)) (file string, err error) {
	p, err := c.Store.partial(ours, id)
	if errors.Is(err, errInUse) { // another git-lfs here gets it, too
		scratch := fmt.Sprintf("%s-%d", ours, os.Getpid())
		defer os.Remove(filepath.Join(c.Store.partialsDir(), scratch))
		p, err = c.Store.partial(scratch, id)
	}
	if err != nil {
		return "", err
	}
	defer p.close()
	if err := p.load(size, func() error { return context.Cause(ctx) }); err != nil {
		return "", err
	}
	for {
		offset := p.Size
		if err := c.fetch(ctx, p, id, size, progress); err != nil {
			return "", err
		}
		if p.is(id) {
			c.Log.Debug("object received", "oid", id.String(), "size", size, "offset", offset)
			return c.handOver(p, id)
		}
		if err := p.reset(); err != nil {
			return "", err
		}
		if offset == 0 { // otherwise what was there from before may be what is wrong
			return "", fmt.Errorf("%s: %w", c.Name, protocol.CodeCorrupt)
		}
	}
}

// fetch gets what is missing of an object.
func (c *Client) fetch(ctx context.Context, p *partial, id OID, size int64, progress func(int64)) error {
	progress(p.Size)
	if p.Size == size && size > 0 {
		return nil
	}
	m, err := c.request(ctx, &protocol.LFSGet{OID: id[:], Size: uint64(size), Offset: uint64(p.Size)})
	if err != nil {
		return err
	}
	ready, ok := m.(*protocol.LFSReady)
	if !ok {
		return c.refused(m)
	}
	if ready.Offset != uint64(p.Size) {
		return c.lost(fmt.Errorf("%w: offset %d", protocol.ErrMalformed, ready.Offset))
	}
	for p.Size < size {
		m, err := c.next()
		if err != nil {
			return err
		}
		data, ok := m.(protocol.Data)
		if !ok || int64(len(data)) > size-p.Size {
			return c.lost(tunnel.Unexpected(m))
		}
		if err := p.write(data); err != nil {
			c.hangUp()
			return err
		}
		progress(p.Size)
	}
	c.tunnel.Pause()
	return nil
}

// handOver gives a whole object a name for git-lfs to take it from; in this folder git-lfs removes what is left behind.
func (c *Client) handOver(p *partial, id OID) (file string, err error) {
	dir := filepath.Join(c.Store.Dir, "tmp")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	reserved, err := os.CreateTemp(dir, id.String()+"-*")
	if err != nil {
		return "", err
	}
	file = reserved.Name()
	_ = reserved.Close()
	return file, p.take(func(from string) error { return os.Rename(from, file) })
}
