package testserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serverPort is where servers expect each other if DNS doesn't say (RFC 6120, 14.8).
const serverPort = 5269

// A Federation is what servers share that talk to each other over server-to-server connections: the address of each domain, which
// takes the place of DNS, and an authority that signs their certificates. Its servers authenticate by these (SASL EXTERNAL).
type Federation struct {
	hosts     map[string]string // domain to loopback address
	hostsFile string            // the same as in /etc/hosts
	caFile    string            // PEM
	ca        *x509.Certificate
	key       *ecdsa.PrivateKey
}

// federations counts those of this process.
var federations atomic.Int32

// NewFederation gives each domain a loopback address of its own. It takes Linux and root, and skips the test otherwise, or fails it as
// [Require] does.
func NewFederation(t testing.TB, domains ...string) *Federation {
	t.Helper()
	if err := canFederate(); err != nil {
		missing(t, "a federation of servers, which takes Linux and root,", err)
	}
	dir := t.TempDir()
	f := &Federation{hosts: make(map[string]string), hostsFile: filepath.Join(dir, "hosts"), caFile: filepath.Join(dir, "ca.pem")}
	pid, turn := os.Getpid(), int(federations.Add(1)) // other processes have federations, too, and every server wants the same port
	for i, domain := range domains {
		f.hosts[domain] = fmt.Sprintf("127.%d.%d.%d", 1+(pid>>8)%254, pid%256, 1+(turn*len(domains)+i)%254)
	}
	if err := errors.Join(f.makeAuthority(), f.writeHosts()); err != nil {
		t.Fatal(err)
	}
	return f
}

// Options are o for the server of a domain.
func (f *Federation) Options(domain string, o Options) Options {
	o.Domain, o.Place.Host, o.federation = domain, f.hosts[domain], f
	return o
}

func (f *Federation) makeAuthority() (err error) {
	if f.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test's authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, f.key.Public(), f.key)
	if err != nil {
		return err
	}
	if f.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	return os.WriteFile(f.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
}

// luaNames is the map of names as Lua has it.
func (f *Federation) luaNames() string {
	var list []string
	for _, domain := range slices.Sorted(maps.Keys(f.hosts)) {
		list = append(list, fmt.Sprintf("[%q] = %q", domain, f.hosts[domain]))
	}
	return "{ " + strings.Join(list, ", ") + " }"
}

func (f *Federation) writeHosts() error {
	lines := "127.0.0.1 localhost\n"
	for domain, host := range f.hosts {
		lines += host + " " + domain + "\n"
	}
	return os.WriteFile(f.hostsFile, []byte(lines), 0o644) //nolint:gosec // as /etc/hosts
}
