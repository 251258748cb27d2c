package peers

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

const (
	tokenVersion  = 1
	secretBytes   = 16
	knockTagBytes = 16
	checksumBytes = 4
	// tokenBytes is the length of a token before base64: version, key,
	// resource, secret, checksum.
	tokenBytes   = 1 + len(Key{}) + 8 + secretBytes + checksumBytes
	knockContext = "git-remote-xmpp knock\x00"
)

// ErrBadInvite says that the text of an invite isn't one.
var ErrBadInvite = errors.New("the invite is damaged: copy it again")

// Secret is the one-time secret of an invite: who has it is let in.
type Secret [secretBytes]byte

// String hides the secret.
func (Secret) String() string { return "(secret)" }

// GoString hides the secret.
func (Secret) GoString() string { return "(secret)" }

// Token is what an invite says to whom it is given.
type Token struct {
	Key      Key     // of the installation that serves
	Resource [8]byte // where it is reached, see [ResourceName]
	Secret   Secret
}

// String returns the text of the invite, the secret included: base64url
// without padding of the version (1 byte), the key (32), the resource (8), the
// secret (16) and the first 4 bytes of the SHA-256 of all before.
func (t Token) String() string {
	b := make([]byte, 0, tokenBytes)
	b = append(b, tokenVersion)
	b = append(b, t.Key[:]...)
	b = append(b, t.Resource[:]...)
	b = append(b, t.Secret[:]...)
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(append(b, sum[:checksumBytes]...))
}

// ParseToken reads what String wrote, and nothing else: [ErrBadInvite].
func ParseToken(s string) (Token, error) {
	if len(s) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return Token{}, ErrBadInvite
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != tokenBytes || b[0] != tokenVersion {
		return Token{}, ErrBadInvite
	}
	body, checksum := b[:tokenBytes-checksumBytes], b[tokenBytes-checksumBytes:]
	if sum := sha256.Sum256(body); !bytes.Equal(checksum, sum[:checksumBytes]) {
		return Token{}, ErrBadInvite
	}
	var t Token
	rest := body[1:]
	rest = rest[copy(t.Key[:], rest):]
	rest = rest[copy(t.Resource[:], rest):]
	copy(t.Secret[:], rest)
	return t, nil
}

// KnockTag is what a guest with an invite shows before anything else, 16
// bytes: it proves to whom gave out the invite, and to nobody else, that the
// guest at a bare JID has one, and tells nothing about the secret.
func KnockTag(secret Secret, bareJID string) []byte {
	return knockTag(sha256.Sum256(secret[:]), bareJID)
}

// knockTag makes a tag from the hash of a secret, all that is kept of it.
func knockTag(hash [sha256.Size]byte, bareJID string) []byte {
	mac := hmac.New(sha256.New, hash[:])
	mac.Write([]byte(knockContext + bareJID))
	return mac.Sum(nil)[:knockTagBytes]
}
