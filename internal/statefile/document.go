// Package statefile keeps small private files on disk that several processes
// read and change: checked for who may write them, replaced whole, under one
// lock for each folder. It doesn't know what is in them.
package statefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// settledAfter is how old a file must be when it is read for its time to
	// tell it from later versions: twice the coarsest clock of a usual file
	// system. git has the same rule for its index ("racy git").
	settledAfter = 4 * time.Second
)

var (
	// ErrCorrupt says that a file isn't what this program wrote.
	ErrCorrupt = errors.New("damaged")
	// ErrNewer says that a file is from a newer version of this program.
	ErrNewer = errors.New("written by a newer git-remote-xmpp")
	// ErrUnchanged is what a change returns when there is nothing to write.
	ErrUnchanged = errors.New("unchanged")
)

// Document is one JSON file. Its T is decoded anew for every change and never
// changed after it is in the cache, so readers share it without copying. A *T
// with a method Check() error says itself what of it is damaged.
type Document[T any] struct {
	Path string
	// Version is that of the format; 0 is 1, the first. It is to be raised when an
	// older program would take what is new for something else. A program reads what
	// is not newer, and refuses what is.
	Version int
	Remedy  string // what the user does about a damaged file; ends its error
	// Private has the file refused if others may read it, as [ReadPrivate] does.
	Private bool

	mu      sync.Mutex
	cached  *T
	info    fs.FileInfo // of the file when it was read; nil: it wasn't there
	settled bool        // a later version would have another time
}

// envelope is how a T is on disk.
type envelope[T any] struct {
	Version int `json:"version"`
	Content T   `json:"content"`
}

// Read returns what the file says, from memory if the file is the same as
// last time: the same inode, size, time and mode. A missing file is a zero T. The
// caller doesn't change the result.
func (d *Document[T]) Read() (*T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := stat(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return new(T), nil
	}
	if err != nil {
		return nil, err
	}
	if d.cached != nil && d.settled && sameFile(d.info, info) {
		return d.cached, nil
	}
	return d.reread()
}

// reread reads the file whatever the cache has. d.mu is held.
func (d *Document[T]) reread() (*T, error) {
	d.cached = nil
	if err := CheckDir(filepath.Dir(d.Path)); err != nil {
		return nil, err
	}
	f, info, err := openChecked(d.Path, d.forbidden())
	if errors.Is(err, fs.ErrNotExist) {
		return new(T), nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readLimited(f, info)
	if err != nil {
		return nil, err
	}
	content, err := d.decode(data)
	if err != nil {
		return nil, err
	}
	d.cached, d.info = content, info
	d.settled = time.Since(info.ModTime()) > settledAfter
	return content, nil
}

// Update changes the file by change, which gets a T of its own. The caller
// holds the [Lock] of the folder. An error of change leaves the file alone;
// [ErrUnchanged] does too, and is no error.
func (d *Document[T]) Update(change func(*T) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	content, err := d.reread()
	if err != nil {
		return err
	}
	d.cached = nil // content is ours now, and about to change
	if err := change(content); errors.Is(err, ErrUnchanged) {
		return nil
	} else if err != nil {
		return err
	}
	data, err := json.MarshalIndent(envelope[T]{d.version(), *content}, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", d.Path, err)
	}
	return Replace(d.Path, append(data, '\n'))
}

// decode reads an envelope. The version goes first: what a newer version has
// inside needn't make sense here.
func (d *Document[T]) decode(data []byte) (*T, error) {
	var v envelope[json.RawMessage]
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, d.corrupt(err)
	}
	switch {
	case v.Version > d.version():
		return nil, fmt.Errorf("%s: %w (format %d, this one knows %d): update git-remote-xmpp", d.Path, ErrNewer, v.Version, d.version())
	case v.Version < 1:
		return nil, d.corrupt(errors.New("no format version"))
	}
	content := new(T)
	dec := json.NewDecoder(bytes.NewReader(v.Content))
	if err := dec.Decode(content); err != nil {
		return nil, d.corrupt(err)
	}
	if c, ok := any(content).(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return nil, d.corrupt(err)
		}
	}
	return content, nil
}

// forbidden are the rights that others mustn't have.
func (d *Document[T]) forbidden() fs.FileMode {
	if d.Private {
		return 0o077
	}
	return 0o022
}

func (d *Document[T]) version() int { return max(d.Version, 1) }

func (d *Document[T]) corrupt(err error) error {
	return fmt.Errorf("%s is %w: %w; %s", d.Path, ErrCorrupt, err, d.Remedy)
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}
