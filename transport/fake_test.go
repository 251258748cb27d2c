package transport_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

const (
	header   = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='localhost' version='1.0'>"
	starttls = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
	proceed  = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
	success  = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
	bind     = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"
	bound    = "<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>alice@localhost/git-a</jid></bind></iq>"

	fakePassword = "Pa55w0rd-of-alice"
	// fakeTimeout bounds a connection to a fake.
	fakeTimeout = 60 * time.Second
)

// mechanismsOf is the offer of mechanisms.
func mechanismsOf(names ...string) string {
	return "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>" +
		strings.Join(names, "</mechanism><mechanism>") + "</mechanism></mechanisms></stream:features>"
}

// A fake plays a server by a script, and keeps what it is told.
type fake struct {
	net.Listener
	cert   tls.Certificate
	script func(*talk) // runs for each connection

	mu     sync.Mutex
	raw    bytes.Buffer // as it came over the wire
	inside bytes.Buffer // what came in TLS, decrypted
	came   int          // connections
	conns  []net.Conn
	tasks  sync.WaitGroup
}

func newFake(t *testing.T, cert tls.Certificate, script func(*talk)) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{Listener: l, cert: cert, script: script}
	f.tasks.Go(f.accept)
	t.Cleanup(f.end)
	return f
}

// end closes everything and waits for it.
func (f *fake) end() {
	_ = f.Close()
	f.mu.Lock()
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.tasks.Wait()
}

func (f *fake) accept() {
	for {
		conn, err := f.Accept()
		if err != nil {
			return
		}
		_ = conn.SetDeadline(time.Now().Add(fakeTimeout))
		f.mu.Lock()
		f.came++
		c := &talk{Conn: keeper{conn, f, &f.raw}, fake: f, number: f.came}
		f.conns = append(f.conns, conn)
		f.mu.Unlock()
		f.tasks.Go(func() {
			f.script(c)
			_ = conn.Close()
		})
	}
}

// told is what came: over the wire and, decrypted, in TLS.
func (f *fake) told() (raw, inside string, came int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.raw.String(), f.inside.String(), f.came
}

// config is the configuration of a client that trusts the fake's certificate.
func (f *fake) config(t *testing.T) transport.Config {
	t.Helper()
	cfg := transport.Config{
		Account: jid.MustParse("alice@localhost"), Password: fakePassword, Resource: "git-a", Server: f.Addr().String(),
		RootCAs: x509.NewCertPool(), Identity: newKey(t), Status: "test", Software: "test", Version: "1", Timeout: deadline,
	}
	cfg.RootCAs.AddCert(f.cert.Leaf)
	return cfg
}

// A keeper keeps what is read from a connection.
type keeper struct {
	net.Conn
	fake *fake
	into *bytes.Buffer
}

func (k keeper) Read(b []byte) (int, error) {
	n, err := k.Conn.Read(b)
	k.fake.mu.Lock()
	defer k.fake.mu.Unlock()
	k.into.Write(b[:n])
	return n, err
}

// A talk is a connection of a client to a fake. Its methods are false when the client has gone.
type talk struct {
	net.Conn
	fake   *fake
	number int    // of the connection, from 1
	unread string // came, wasn't waited for yet
}

// await reads until a text has come, and leaves what is behind it.
func (c *talk) await(text string) bool {
	buf := make([]byte, 32<<10)
	for {
		if _, after, ok := strings.Cut(c.unread, text); ok {
			c.unread = after
			return true
		}
		n, err := c.Read(buf)
		c.unread += string(buf[:n])
		if err != nil && !strings.Contains(c.unread, text) {
			return false
		}
	}
}

func (c *talk) say(text string) bool {
	_, err := io.WriteString(c.Conn, text)
	return err == nil
}

// tls takes the connection into TLS.
func (c *talk) tls(config *tls.Config) bool {
	config.Certificates = []tls.Certificate{c.fake.cert}
	conn := tls.Server(c.Conn, config)
	if conn.Handshake() != nil {
		return false
	}
	c.Conn = keeper{conn, c.fake, &c.fake.inside}
	return true
}

// secure is STARTTLS, as the client wants it.
func (c *talk) secure() bool {
	return c.say(header+starttls) && c.await("<starttls") && c.await("/>") && c.say(proceed) && c.tls(&tls.Config{})
}

// login takes whatever password comes by PLAIN, and binds.
func (c *talk) login() bool {
	return c.secure() && c.await("<stream:stream") && c.say(header+mechanismsOf("PLAIN")) && c.await("</auth>") && c.say(success) &&
		c.await("<stream:stream") && c.say(header+bind) && c.await("</iq>") && c.say(bound)
}

// newCert is a certificate that signs itself.
func newCert(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func goodCert(t *testing.T) tls.Certificate {
	return newCert(t, "localhost", time.Now().Add(24*time.Hour))
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
