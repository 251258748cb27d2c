package peers

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
	// formatVersion is the version of the files that is written and read.
	formatVersion = 1
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

	// errUnchanged is what a change returns when there is nothing to write.
	errUnchanged = errors.New("unchanged")
)

// document is one JSON file. Its T is decoded anew for every change and never
// changed after it is in the cache, so readers share it without copying.
type document[T any] struct {
	path string

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

// read returns what the file says, from memory if the file is the same as
// last time: the same inode, size and time. A missing file is a zero T. The
// caller doesn't change the result.
func (d *document[T]) read() (*T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := os.Stat(d.path)
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
func (d *document[T]) reread() (*T, error) {
	d.cached = nil
	if err := checkDir(filepath.Dir(d.path)); err != nil {
		return nil, err
	}
	f, info, err := openChecked(d.path, 0o022)
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
	content, err := decode[T](d.path, data)
	if err != nil {
		return nil, err
	}
	d.cached, d.info = content, info
	d.settled = time.Since(info.ModTime()) > settledAfter
	return content, nil
}

// update changes the file by change, which gets a T of its own. The caller
// holds the lock of the folder. An error of change leaves the file alone;
// errUnchanged does too, and is no error.
func (d *document[T]) update(change func(*T) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	content, err := d.reread()
	if err != nil {
		return err
	}
	d.cached = nil // content is ours now, and about to change
	if err := change(content); errors.Is(err, errUnchanged) {
		return nil
	} else if err != nil {
		return err
	}
	data, err := json.MarshalIndent(envelope[T]{formatVersion, *content}, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", d.path, err)
	}
	return replaceFile(d.path, append(data, '\n'))
}

// decode reads an envelope. The version goes first: what a newer version has
// inside needn't make sense here.
func decode[T any](path string, data []byte) (*T, error) {
	var v envelope[json.RawMessage]
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, corrupt(path, err)
	}
	switch {
	case v.Version > formatVersion:
		return nil, fmt.Errorf("%s: %w (format %d, this one knows %d): update git-remote-xmpp", path, ErrNewer, v.Version, formatVersion)
	case v.Version < 1:
		return nil, corrupt(path, errors.New("no format version"))
	}
	content := new(T)
	dec := json.NewDecoder(bytes.NewReader(v.Content))
	if err := dec.Decode(content); err != nil {
		return nil, corrupt(path, err)
	}
	if c, ok := any(content).(interface{ check() error }); ok {
		if err := c.check(); err != nil {
			return nil, corrupt(path, err)
		}
	}
	return content, nil
}

func corrupt(path string, err error) error {
	return fmt.Errorf("%s is %w: %w; restore it from a copy, or remove it and pair again", path, ErrCorrupt, err)
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
