package protocol

import (
	"github.com/fxamacker/cbor/v2"
)

// The payload of a frame, other than of data, is one CBOR map (RFC 8949) with
// small integers as keys, in core deterministic encoding. Unknown keys are skipped.
var (
	encoder = mustMode(cbor.CoreDetEncOptions().EncMode())
	decoder = mustMode(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  8,
		MaxArrayElements: 1024,
		MaxMapPairs:      64,
		UTF8:             cbor.UTF8RejectInvalid,
	}.DecMode())
)

func mustMode[T any](mode T, err error) T {
	if err != nil {
		panic(err) // the options above contradict each other
	}
	return mode
}

func encode(m Message) ([]byte, error) {
	switch m := m.(type) {
	case Data:
		return m, nil
	case Stderr:
		return m, nil
	default:
		return encoder.Marshal(m)
	}
}

// decode fills the empty message of type t from a payload and checks it. A Hello of another
// major version is only known to say so: its other fields are left alone.
func decode(t Type, m Message, payload []byte) (Message, error) {
	switch t {
	case TypeData:
		return Data(payload), nil
	case TypeStderr:
		return Stderr(payload), nil
	case TypeHello:
		var version struct {
			Major uint32 `cbor:"1,keyasint"`
		}
		if err := decoder.Unmarshal(payload, &version); err != nil {
			return nil, err
		}
		if version.Major != Major {
			return &Hello{Major: version.Major}, nil
		}
	}
	if err := decoder.Unmarshal(payload, m); err != nil {
		return nil, err
	}
	return m, m.check()
}
