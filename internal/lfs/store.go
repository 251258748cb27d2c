package lfs

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"git-remote-xmpp/internal/disk"
	"git-remote-xmpp/protocol"
)

// An OID is the id of an object: the SHA-256 of its content.
type OID [protocol.OIDBytes]byte

// ParseOID reads an id as git-lfs writes it.
func ParseOID(s string) (OID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(OID{}) || strings.ToLower(s) != s {
		return OID{}, errors.New("not the id of an object")
	}
	return OID(b), nil
}

func (id OID) String() string { return hex.EncodeToString(id[:]) }

// ErrNoObject says that an object isn't there, or not of the size that was asked for.
var ErrNoObject = errors.New("no such object")

// A Store is the folder of a repository with its LFS objects, laid out by git-lfs: objects/aa/bb/aabb….
type Store struct {
	Dir string
}

// object is where an object is or would be.
func (s Store) object(id OID) string {
	name := id.String()
	return filepath.Join(s.Dir, "objects", name[:2], name[2:4], name)
}

// open opens an object of a size.
func (s Store) open(id OID, size int64) (*os.File, error) {
	f, err := os.Open(s.object(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoObject
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() != size) {
		err = ErrNoObject
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// has tells whether an object is there.
func (s Store) has(id OID, size int64) (bool, error) {
	f, err := s.open(id, size)
	if errors.Is(err, ErrNoObject) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// add makes an object of a file in the store's file system, which stays in its place after a crash.
func (s Store) add(id OID, file string) error {
	target := s.object(id)
	dir := filepath.Dir(target)
	_, missing := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := os.Rename(file, target); err != nil {
		return err
	}
	err := disk.SyncDir(dir)
	for dir != s.Dir && missing != nil && err == nil { // the folders may be new
		dir = filepath.Dir(dir)
		err = disk.SyncDir(dir)
	}
	return err
}
