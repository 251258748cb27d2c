package protocol

import (
	"errors"
	"fmt"
)

const (
	// OIDBytes is the length of the id of a Git LFS object: a SHA-256.
	OIDBytes = 32
	// MaxObjectBytes is the largest Git LFS object: one pebibyte.
	MaxObjectBytes = 1 << 50
)

// LFSGet asks for a Git LFS object, or the rest of it.
type LFSGet struct {
	OID    []byte `cbor:"1,keyasint"`           // SHA-256 of the object
	Size   uint64 `cbor:"2,keyasint,omitempty"` // of the whole object
	Offset uint64 `cbor:"3,keyasint,omitempty"` // how much of it is there already
}

// LFSPut offers a Git LFS object.
type LFSPut struct {
	OID  []byte `cbor:"1,keyasint"`
	Size uint64 `cbor:"2,keyasint,omitempty"`
}

// LFSReady says from where on an object is sent. The server says it before the data of an [LFSGet]; in answer to an [LFSPut] it
// asks for the data.
type LFSReady struct {
	Offset uint64 `cbor:"1,keyasint,omitempty"`
}

// LFSStored says that an object of an [LFSPut] is there, whole and checked.
type LFSStored struct{}

// LFSWorking says that the server still works on a request: a sign of life.
type LFSWorking struct{}

// Types of the messages.
func (*LFSGet) Type() Type     { return TypeLFSGet }
func (*LFSPut) Type() Type     { return TypeLFSPut }
func (*LFSReady) Type() Type   { return TypeLFSReady }
func (*LFSStored) Type() Type  { return TypeLFSStored }
func (*LFSWorking) Type() Type { return TypeLFSWorking }

// newLFSMessage returns an empty message of a type of Git LFS, or nil if it is none.
func newLFSMessage(t Type) Message {
	switch t {
	case TypeLFSGet:
		return &LFSGet{}
	case TypeLFSPut:
		return &LFSPut{}
	case TypeLFSReady:
		return &LFSReady{}
	case TypeLFSStored:
		return &LFSStored{}
	case TypeLFSWorking:
		return &LFSWorking{}
	default:
		return nil
	}
}

func (m *LFSGet) check() error {
	if m.Offset > m.Size {
		return fmt.Errorf("offset %d in an object of %d bytes", m.Offset, m.Size)
	}
	return checkObject(m.OID, m.Size)
}

func (m *LFSPut) check() error { return checkObject(m.OID, m.Size) }

func (m *LFSReady) check() error {
	if m.Offset > MaxObjectBytes {
		return fmt.Errorf("offset %d", m.Offset)
	}
	return nil
}

func (m *LFSStored) check() error  { return nil }
func (m *LFSWorking) check() error { return nil }

func checkObject(oid []byte, size uint64) error {
	switch {
	case len(oid) != OIDBytes:
		return errors.New("oid: not a sha-256")
	case size > MaxObjectBytes:
		return fmt.Errorf("object of %d bytes", size)
	}
	return nil
}
