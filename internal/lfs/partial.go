package lfs

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// blockBytes is how much is read of a file at once.
const blockBytes = 256 << 10

// errInUse says that somebody else writes a partial object just now.
var errInUse = errors.New("in use")

// A partial is a part of an object, from its beginning, that has come in. It stays when the transfer is cut off, for the next one by
// the same owner.
type partial struct {
	Size int64 // what is there

	file *os.File
	sum  hash.Hash // of what is there, after load
	lock *lock
}

// partialsDir is where partial objects are kept, in a folder for each owner. git-lfs has its own in the folder above.
func (s Store) partialsDir() string { return filepath.Join(s.Dir, "incomplete", "xmpp") }

const (
	partSuffix = ".part"
	lockSuffix = ".lock"
)

// partial opens what an owner has of an object: a file, that is empty if nothing is there. Its close must be called. The error is errInUse if another
// has it open.
func (s Store) partial(owner string, id OID) (*partial, error) {
	dir := filepath.Join(s.partialsDir(), owner)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	base := filepath.Join(dir, id.String())
	l, err := tryLock(base + lockSuffix)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, errInUse
	}
	p := &partial{lock: l, sum: sha256.New()}
	if p.file, err = os.OpenFile(base+partSuffix, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		l.release()
		return nil, err
	}
	info, err := p.file.Stat()
	if err != nil {
		p.close()
		return nil, err
	}
	p.Size = info.Size()
	return p, nil
}

// load reads what is there, of an object of a size; tick is called again and again while it does.
func (p *partial) load(size int64, tick func() error) error {
	if p.Size > size {
		return p.reset()
	}
	buf := make([]byte, blockBytes)
	for at := int64(0); at < p.Size; {
		n, err := p.file.ReadAt(buf[:min(blockBytes, p.Size-at)], at)
		if n == 0 && err != nil {
			return err
		}
		_, _ = p.sum.Write(buf[:n]) // a hash doesn't fail
		at += int64(n)
		if err := tick(); err != nil {
			return err
		}
	}
	_, err := p.file.Seek(p.Size, io.SeekStart)
	return err
}

// write adds to what is there: all of b, or nothing.
func (p *partial) write(b []byte) error {
	if _, err := p.file.Write(b); err != nil {
		_ = p.file.Truncate(p.Size) // what can't be undone shows when the object is checked
		return err
	}
	_, _ = p.sum.Write(b)
	p.Size += int64(len(b))
	return nil
}

// is tells whether what is there is the object.
func (p *partial) is(id OID) bool { return OID(p.sum.Sum(nil)) == id }

// reset throws away what is there.
func (p *partial) reset() error {
	p.Size = 0
	p.sum.Reset()
	_, err := p.file.Seek(0, io.SeekStart)
	return cmp.Or(p.file.Truncate(0), err)
}

// sync makes what is there last.
func (p *partial) sync() error { return p.file.Sync() }

// take ends the partial and hands its file to move, under whose name it is then. What move leaves is removed.
func (p *partial) take(move func(file string) error) error {
	defer p.unlock()
	name := p.file.Name()
	err := p.file.Close() // before: not every system renames open files
	if err == nil {
		err = move(name)
	}
	if err != nil {
		_ = os.Remove(name)
	}
	return err
}

// close keeps what is there for the next time. It does nothing after take.
func (p *partial) close() {
	if p.lock == nil {
		return
	}
	defer p.unlock()
	_ = p.file.Close()
	if p.Size == 0 {
		_ = os.Remove(p.file.Name())
	}
}

func (p *partial) unlock() {
	p.lock.release()
	p.lock = nil
}
