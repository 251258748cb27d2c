package peers

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"git-remote-xmpp/internal/statefile"
)

func TestIdentityIsMadeOnceAndStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	keys := make([]Key, 8)
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() {
			id, err := LoadIdentity(dir, "")
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = id.Key
		})
	}
	group.Wait()
	id, err := LoadIdentity(dir, "")
	must(t, err)
	for _, k := range keys {
		if k != id.Key {
			t.Fatalf("two identities: %v and %v", k, id.Key)
		}
	}
	sum := sha256.Sum256(id.Key[:])
	if want := "git-" + hex.EncodeToString(sum[:8]); id.Resource != want {
		t.Errorf("resource %s, want %s", id.Resource, want)
	}
	if !modeCounts {
		return
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, identityFile: 0o600, resourceFile: 0o600, "lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%q: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestResourceOutlivesTheKey(t *testing.T) {
	dir := t.TempDir()
	before, err := LoadIdentity(dir, "")
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, identityFile)))
	after, err := LoadIdentity(dir, "")
	must(t, err)
	if before.Key == after.Key || before.Resource != after.Resource {
		t.Errorf("keys %v, %v; resources %s, %s", before.Key, after.Key, before.Resource, after.Resource)
	}
}

func TestIdentityOfTheEnvironment(t *testing.T) {
	seed := []byte("0123456789abcdef0123456789abcdef")
	private := ed25519.NewKeyFromSeed(seed)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	asPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	file := filepath.Join(t.TempDir(), "key")
	write(t, file, asPEM, 0o600)
	seedFile := filepath.Join(t.TempDir(), "seed")
	write(t, seedFile, base64.StdEncoding.EncodeToString(seed)+"\n", 0o400)
	dir := filepath.Join(t.TempDir(), "data")
	for _, env := range []string{
		asPEM, file, seedFile, base64.StdEncoding.EncodeToString(seed), base64.RawStdEncoding.EncodeToString(seed),
	} {
		id, err := LoadIdentity(dir, env)
		if err != nil || !id.Private.Equal(private) {
			t.Errorf("%.20s: %v", env, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, identityFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key was made beside that of the environment: %v", err)
	}
}

func TestBadIdentities(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	rsa := filepath.Join(t.TempDir(), "other")
	write(t, rsa, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", 0o600)
	almost := base64.StdEncoding.EncodeToString(make([]byte, 31))
	for _, env := range []string{almost, rsa, t.TempDir(), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		_, err := LoadIdentity(dir, env)
		if err == nil || strings.Contains(err.Error(), almost) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.30q: %v", env, err)
		}
	}
	write(t, filepath.Join(dir, identityFile), "garbage", 0o600)
	if _, err := LoadIdentity(dir, ""); !errors.Is(err, ErrBadIdentity) {
		t.Errorf("garbage: %v", err)
	}
	write(t, filepath.Join(dir, identityFile), strings.Repeat("x", statefile.MaxBytes+1), 0o600)
	if _, err := LoadIdentity(dir, ""); !errors.Is(err, statefile.ErrTooLarge) {
		t.Errorf("large: %v", err)
	}
	must(t, os.Remove(filepath.Join(dir, identityFile)))
	write(t, filepath.Join(dir, resourceFile), "git-XYZ\n", 0o600)
	if _, err := LoadIdentity(dir, ""); !errors.Is(err, ErrBadResource) {
		t.Errorf("resource: %v", err)
	}
}

func TestIdentityOpenToOthers(t *testing.T) {
	if !modeCounts {
		return // nothing to see in mode bits
	}
	dir := filepath.Join(t.TempDir(), "data")
	_, err := LoadIdentity(dir, "")
	must(t, err)
	path := filepath.Join(dir, identityFile)
	must(t, os.Chmod(path, 0o640))
	if _, err := LoadIdentity(dir, ""); !errors.Is(err, statefile.ErrTooOpen) || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Errorf("mode 640: %v", err)
	}
	if _, err := LoadIdentity(dir, path); !errors.Is(err, statefile.ErrTooOpen) {
		t.Errorf("by the environment: %v", err)
	}
	must(t, os.Chmod(path, 0o600))
	must(t, os.Chmod(dir, 0o777))
	if _, err := LoadIdentity(dir, ""); !errors.Is(err, statefile.ErrTooOpen) || !strings.Contains(err.Error(), "chmod 700 "+dir) {
		t.Errorf("folder: %v", err)
	}
}

func TestPrintingAnIdentityTellsNoSecret(t *testing.T) {
	id, err := LoadIdentity(filepath.Join(t.TempDir(), "data"), "")
	must(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(verb+verb, id, *id); out != id.Key.String()+id.Key.String() {
			t.Errorf("%s: %s", verb, out)
		}
	}
}

func TestKeyText(t *testing.T) {
	k := testKey(1)
	text, err := k.MarshalText()
	must(t, err)
	var back Key
	if err := back.UnmarshalText(text); err != nil || back != k {
		t.Errorf("%s: %v", text, err)
	}
	for _, bad := range []string{"", "AAAA", string(text) + "A", string(text) + "="} {
		if err := back.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if _, ok := KeyOf(k.Public()); !ok {
		t.Error("KeyOf refuses a key")
	}
	if _, ok := KeyOf(k.Public()[1:]); ok {
		t.Error("KeyOf takes 31 bytes")
	}
}

// TestFingerprintIsOpenSSHsForm compares with the form that ssh-keygen shows;
// ssh hashes its own encoding of the key, so only the form is the same.
func TestFingerprintIsOpenSSHsForm(t *testing.T) {
	k := testKey(1)
	sum := sha256.Sum256(k[:])
	if want := "SHA256:" + strings.TrimRight(base64.StdEncoding.EncodeToString(sum[:]), "="); k.String() != want {
		t.Errorf("%s, want %s", k, want)
	}
}

// TestIdentityFileIsPKCS8 lets OpenSSL, if there is one, read the file.
func TestIdentityFileIsPKCS8(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		return // x509 of the standard library read it in the other tests
	}
	dir := filepath.Join(t.TempDir(), "data")
	id, err := LoadIdentity(dir, "")
	must(t, err)
	der, err := exec.Command(openssl, "pkey", "-in", filepath.Join(dir, identityFile), "-pubout", "-outform", "DER").Output()
	must(t, err)
	public, err := x509.ParsePKIXPublicKey(der)
	must(t, err)
	if k, ok := KeyOf(public.(ed25519.PublicKey)); !ok || k != id.Key {
		t.Errorf("openssl reads another key")
	}
}

// Who only looks for the identity makes none.
func TestFindIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if id, err := FindIdentity(dir, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, %v", id, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
	made, err := LoadIdentity(dir, "")
	must(t, err)
	found, err := FindIdentity(dir, "")
	if err != nil || found.Key != made.Key || found.Resource != made.Resource {
		t.Errorf("%v, %v, want %v", found, err, made)
	}
	seed := base64.StdEncoding.EncodeToString(make([]byte, ed25519.SeedSize))
	if given, err := FindIdentity(filepath.Join(dir, "none"), seed); err != nil || given.Key == made.Key || given.Resource != "" {
		t.Errorf("%v, %v", given, err)
	}
	if _, err := FindIdentity(dir, "nonsense"); err == nil || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a bad one: %v", err)
	}
}
