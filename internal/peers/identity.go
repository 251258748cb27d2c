package peers

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"git-remote-xmpp/internal/statefile"
)

const (
	identityFile   = "identity"
	resourceFile   = "resource"
	resourcePrefix = "git-"
	pemType        = "PRIVATE KEY" // PKCS#8, RFC 5958
)

// ErrBadIdentity says that an identity key can't be read as one.
var ErrBadIdentity = errors.New("not an Ed25519 private key (PEM with PKCS#8, or a seed of 32 bytes in base64)")

// ErrBadResource says that a resource isn't "git-" and 16 hex digits.
var ErrBadResource = errors.New(`not "git-" and 16 hex digits`)

// Identity is who this installation is.
type Identity struct {
	Private  ed25519.PrivateKey
	Key      Key
	Resource string // of the full JID that serve is reached at; outlives a change of the key
}

// String returns the fingerprint of the key, and nothing that is secret.
func (i Identity) String() string { return i.Key.String() }

// GoString is String.
func (i Identity) GoString() string { return i.String() }

// LoadIdentity returns the identity kept in the folder dir, and makes it at
// first use. env is the value of GIT_XMPP_IDENTITY: if it isn't empty, it is
// the key itself or the file that has it. An error never shows env.
func LoadIdentity(dir, env string) (*Identity, error) {
	private, err := loadPrivate(dir, env)
	if err != nil {
		return nil, err
	}
	key := Key(private.Public().(ed25519.PublicKey))
	resource, err := loadResource(dir, key)
	if err != nil {
		return nil, err
	}
	return &Identity{Private: private, Key: key, Resource: resource}, nil
}

// FindIdentity is [LoadIdentity] for who makes nothing: the error is a [fs.ErrNotExist] if there is no key yet. The resource is empty if there is none.
func FindIdentity(dir, env string) (*Identity, error) {
	var private ed25519.PrivateKey
	var err error
	if env != "" {
		private, err = envPrivate(env)
	} else if private, err = findPrivate(dir); err != nil {
		err = fmt.Errorf("identity key: %w", err)
	}
	if err != nil {
		return nil, err
	}
	text, err := statefile.ReadPrivate(filepath.Join(dir, resourceFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("resource: %w", err)
	}
	return &Identity{Private: private, Key: Key(private.Public().(ed25519.PublicKey)), Resource: strings.TrimSpace(string(text))}, nil
}

func findPrivate(dir string) (ed25519.PrivateKey, error) {
	text, err := statefile.ReadPrivate(filepath.Join(dir, identityFile))
	if err != nil {
		return nil, err
	}
	return parsePrivate(text)
}

// ResourceID returns the eight bytes that a resource of serve stands for.
func ResourceID(resource string) ([8]byte, error) {
	digits, ok := strings.CutPrefix(resource, resourcePrefix)
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != 8 || digits != strings.ToLower(digits) {
		return [8]byte{}, ErrBadResource
	}
	return [8]byte(b), nil
}

// ResourceName is the other way round of [ResourceID].
func ResourceName(id [8]byte) string { return resourcePrefix + hex.EncodeToString(id[:]) }

func loadPrivate(dir, env string) (ed25519.PrivateKey, error) {
	if env != "" {
		return envPrivate(env)
	}
	path := filepath.Join(dir, identityFile)
	text, err := loadOrMake(dir, path, newIdentity)
	if err != nil {
		return nil, fmt.Errorf("identity key: %w", err)
	}
	private, err := parsePrivate(text)
	if err != nil {
		return nil, fmt.Errorf("identity key %s: %w", path, err)
	}
	return private, nil
}

// envPrivate reads GIT_XMPP_IDENTITY.
func envPrivate(env string) (ed25519.PrivateKey, error) {
	private, err := parsePrivate([]byte(env))
	if err == nil {
		return private, nil
	}
	text, err := statefile.ReadPrivate(env)
	if err != nil {
		if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
			err = pathErr.Err // the path could be a key with a slip in it
		}
		return nil, fmt.Errorf("GIT_XMPP_IDENTITY: neither a key nor a file with one: %w", err)
	}
	if private, err = parsePrivate(text); err != nil {
		return nil, fmt.Errorf("the file of GIT_XMPP_IDENTITY: %w", err)
	}
	return private, nil
}

// IsPrivateKey tells the text of an identity key from the name of a file.
func IsPrivateKey(text string) bool {
	_, err := parsePrivate([]byte(text))
	return err == nil
}

// parsePrivate reads a key as PEM with PKCS#8 (RFC 8410) or as the base64 of
// its seed, padded or not.
func parsePrivate(text []byte) (ed25519.PrivateKey, error) {
	if block, _ := pem.Decode(text); block != nil {
		if block.Type != pemType {
			return nil, ErrBadIdentity
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		private, ok := parsed.(ed25519.PrivateKey)
		if err != nil || !ok {
			return nil, ErrBadIdentity
		}
		return private, nil
	}
	line := strings.TrimRight(strings.TrimSpace(string(text)), "=")
	seed, err := base64.RawStdEncoding.Strict().DecodeString(line)
	if err != nil || len(seed) != ed25519.SeedSize || strings.ContainsAny(line, "\r\n") {
		return nil, ErrBadIdentity
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// newIdentity makes the text of a new identity file.
func newIdentity() ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// loadResource returns the resource of this installation. The first key gives
// it its name; it stays when the key changes, so that peers who know it still
// find this installation.
func loadResource(dir string, key Key) (string, error) {
	path := filepath.Join(dir, resourceFile)
	text, err := loadOrMake(dir, path, func() ([]byte, error) {
		sum := sha256.Sum256(key[:])
		return []byte(ResourceName([8]byte(sum[:8])) + "\n"), nil
	})
	if err != nil {
		return "", fmt.Errorf("resource: %w", err)
	}
	resource := strings.TrimSpace(string(text))
	if _, err := ResourceID(resource); err != nil {
		return "", fmt.Errorf("%s: %w: remove it", path, err)
	}
	return resource, nil
}

// loadOrMake reads a private file, or makes it under the lock if it isn't there.
func loadOrMake(dir, path string, text func() ([]byte, error)) ([]byte, error) {
	if err := statefile.CheckDir(dir); err != nil {
		return nil, err
	}
	b, err := statefile.ReadPrivate(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	err = statefile.Lock(context.Background(), dir, func() error {
		b, err = statefile.ReadPrivate(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if b, err = text(); err != nil {
			return err
		}
		return statefile.Replace(path, b)
	})
	return b, err
}
