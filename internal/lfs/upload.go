package lfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"git-remote-xmpp/protocol"
)

// Upload sends an object, which is in a file. progress is told how much of it is there.
func (c *Client) Upload(ctx context.Context, id OID, size int64, path string, progress func(int64)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() != size {
		return cmp.Or(err, fmt.Errorf("%s: not of %d bytes", path, size))
	}
	m, err := c.request(ctx, &protocol.LFSPut{OID: id[:], Size: uint64(size)})
	for range 2 { // the second time if what the other side had from before was wrong
		ready, ok := m.(*protocol.LFSReady)
		if err != nil || !ok {
			break
		}
		if ready.Offset > uint64(size) {
			return c.lost(fmt.Errorf("%w: offset %d in an object of %d bytes", protocol.ErrMalformed, ready.Offset, size))
		}
		offset := int64(ready.Offset)
		progress(offset)
		m, err = c.give(f, offset, size, progress)
		c.Log.Debug("object offered", "oid", id.String(), "size", size, "offset", offset, "err", err)
	}
	if err != nil {
		return err
	}
	if _, stored := m.(*protocol.LFSStored); !stored {
		return c.refused(m)
	}
	c.tunnel.Pause()
	progress(size)
	return nil
}

// give sends an object from an offset on, and returns what the other side says to that.
func (c *Client) give(f *os.File, offset, size int64, progress func(int64)) (protocol.Message, error) {
	sendErr := send(c.tunnel, f, offset, size, progress)
	if sendErr == nil {
		return c.next()
	}
	if errors.Is(sendErr, errRead) {
		return nil, c.lost(sendErr)
	}
	m, err := c.next() // the other side may have said why it takes no more
	if err != nil {
		return nil, err
	}
	err = c.refused(m)
	c.Close() // nothing follows
	return nil, err
}
