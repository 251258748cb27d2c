// Package peers keeps what an installation knows about itself and others: its
// identity key, the keys of peers, what each may do here, and the invites that
// were handed out.
//
// Everything is in a few files of one folder, for the user alone, replaced as
// a whole and changed under a lock, so that any number of processes (serve,
// helpers, commands) may use it at once.
//
// It knows nothing of XMPP, QUIC or git, and acts on nothing: others ask it
// first. An address is the text of a bare JID, normalised by the caller; two are
// the same if their texts are.
package peers

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

const fingerprintPrefix = "SHA256:"

var errBadKey = errors.New("not a key of 32 bytes in base64")

// Key is an Ed25519 public key: who a peer is.
type Key [ed25519.PublicKeySize]byte

// String returns the fingerprint as OpenSSH writes those of its keys:
// "SHA256:" and the unpadded base64 of the SHA-256 of the key.
func (k Key) String() string {
	sum := sha256.Sum256(k[:])
	return fingerprintPrefix + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Public returns the key as crypto/ed25519 has it.
func (k Key) Public() ed25519.PublicKey { return ed25519.PublicKey(k[:]) }

func (k Key) compare(other Key) int { return bytes.Compare(k[:], other[:]) }

// MarshalText returns the whole key (not the fingerprint) in unpadded base64.
func (k Key) MarshalText() ([]byte, error) {
	return base64.RawStdEncoding.AppendEncode(nil, k[:]), nil
}

// UnmarshalText reads what MarshalText wrote.
func (k *Key) UnmarshalText(text []byte) error {
	b, err := base64.RawStdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != len(k) || len(text) != base64.RawStdEncoding.EncodedLen(len(k)) { // the decoder skips line breaks
		return errBadKey
	}
	copy(k[:], b)
	return nil
}

// KeyOf returns the Key of a public key. It is false if that isn't 32 bytes.
func KeyOf(public ed25519.PublicKey) (Key, bool) {
	if len(public) != len(Key{}) {
		return Key{}, false
	}
	return Key(public), true
}
