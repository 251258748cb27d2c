package integration

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"github.com/google/uuid"
)

// An operator sees what an XMPP server does: it stands in its place, and hands everything on to it.
type operator struct {
	addr, caFile string
	mu           sync.Mutex
	seen         bytes.Buffer
}

// newOperator starts one in front of a server, until the test ends.
func newOperator(t *testing.T, s *testserver.Server) *operator {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{s.Domain}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}})
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{addr: listener.Addr().String(), caFile: filepath.Join(t.TempDir(), "operator.pem")}
	if err := os.WriteFile(o.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	var links sync.WaitGroup
	links.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			links.Go(func() { o.handOn(t, client, s.DirectTLSAddr) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		links.Wait()
	})
	return o
}

// handOn carries one link, both ways, until either side ends it.
func (o *operator) handOn(t *testing.T, client net.Conn, addr string) {
	defer client.Close()
	server, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Error(err)
		return
	}
	defer server.Close()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, io.TeeReader(server, o))
		_ = client.Close() // the other direction ends
	})
	_, _ = io.Copy(server, io.TeeReader(client, o))
	_ = server.Close()
	back.Wait()
}

func (o *operator) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen.Write(p)
}

// all is what went through, and what is in the payloads, without their base64.
func (o *operator) all() (seen, payloads []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range regexp.MustCompile(`<p xmlns=['"]urn:x-git-remote-xmpp:1['"]>([A-Za-z0-9+/=]+)</p>`).FindAllSubmatch(o.seen.Bytes(), -1) {
		if p, err := base64.StdEncoding.DecodeString(string(m[1])); err == nil {
			payloads = append(payloads, p...)
		}
	}
	return bytes.Clone(o.seen.Bytes()), payloads
}

// What passes through the server, in the messages and in the packets that they carry, names no repository, ref, UUID, label or key, and has no
// secret.
func TestServerReadsNothing(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	o := newOperator(t, s)
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	for _, h := range []*home{bob, alice} {
		h.git(h.dir, "config", "--global", "xmpp.server", "tls://"+o.addr)
		h.git(h.dir, "config", "--global", "xmpp.sslCAInfo", o.caFile)
	}
	served := bob.newRepo("top-secret")
	d := bob.serve(bob.dir, served)
	invite := bob.xmpp(served, "invite", "--label", "label-of-alice")
	clone := filepath.Join(alice.dir, "clone")
	alice.git(alice.dir, "clone", "--quiet", invite, clone)
	alice.commit(clone, "message-of-alice")
	alice.git(clone, "push", "--quiet", "origin", "main:refs/heads/hidden-branch")
	if err := os.WriteFile(filepath.Join(clone, "noise"), []byte(rand.Text()+strings.Repeat(rand.Text(), 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	alice.commit(clone, "more")
	alice.git(clone, "push", "--quiet", "origin", "main:refs/heads/hidden-branch")
	d.stop()

	hidden := append(inviteSecrets(t, invite), tokenOf(t, invite), "top-secret", "hidden-branch", "refs/heads", "message-of-alice", "label-of-alice", "git-upload-pack", "git-receive-pack", "PACK")
	for _, h := range []*home{bob, alice} {
		user, _, _ := strings.Cut(h.account, "@")
		key := h.installation().Key
		hidden = append(hidden, append(keySecrets(t, h), s.Accounts[user], base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+s.Accounts[user])), string(key[:]), key.String())...)
	}
	for _, dir := range []string{served, clone} {
		id := uuid.MustParse(bob.git(dir, "config", "xmpp.uuid"))
		hidden = append(hidden, id.String(), string(id[:]))
	}
	seen, payloads := o.all()
	if !bytes.Contains(seen, []byte("alice@localhost")) || len(payloads) < 10_000 {
		t.Fatalf("the operator sees %d bytes, %d of them packets", len(seen), len(payloads))
	}
	for _, secret := range hidden {
		if bytes.Contains(seen, []byte(secret)) || bytes.Contains(payloads, []byte(secret)) {
			t.Errorf("the operator sees %q", secret)
		}
	}
}
