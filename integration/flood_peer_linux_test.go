package integration

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"git-remote-xmpp/chunk"
	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/internal/peers"
	"github.com/quic-go/quic-go"
)

const (
	floodNS = "urn:x-git-remote-xmpp:1"
	// floodWithin bounds the life of a flooder.
	floodWithin = 4 * time.Minute
)

// A flooder is a peer that keeps to no rule: QUIC over messages of its own, with whatever settings, from any account.
type flooder struct {
	testing.TB
	client  *bareClient
	to      floodAddr
	quic    *quic.Transport
	writing sync.Mutex
	packets chan floodPacket
	delay   time.Duration // after which packets count as come; it shrinks, so that QUIC sees no queue grow
	began   time.Time
	deaf    atomic.Bool   // it reads nothing from its server any more
	done    chan struct{} // closed at the end
	sent    atomic.Int64  // packets
	wrote   chan struct{} // told of each, if it has room
}

// A floodPacket is a datagram and when it came.
type floodPacket struct {
	data []byte
	at   time.Time
}

// floodAddr is a full JID.
type floodAddr string

func (a floodAddr) Network() string { return "xmpp" }
func (a floodAddr) String() string  { return string(a) }

// newFlooder logs in as a user, against the serve at a full JID.
func newFlooder(t testing.TB, s *testserver.Server, user, resource, to string) *flooder {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), floodWithin)
	client, err := bareLogin(ctx, s, user, resource)
	if err != nil {
		t.Fatal(err)
	}
	f := &flooder{TB: t, client: client, to: floodAddr(to), packets: make(chan floodPacket, 1<<16), done: make(chan struct{}), wrote: make(chan struct{}, 1), began: time.Now()}
	f.quic = &quic.Transport{Conn: f}
	var reading sync.WaitGroup
	reading.Go(f.read)
	t.Cleanup(func() {
		cancel()
		close(f.done)
		_ = f.client.conn.Close()
		_ = f.quic.Close()
		reading.Wait()
	})
	return f
}

// read hands on the packets that come.
func (f *flooder) read() {
	for !f.deaf.Load() {
		token, err := f.client.dec.Token()
		if err != nil {
			return
		}
		if start, ok := token.(xml.StartElement); !ok || start.Name.Local != "p" || start.Name.Space != floodNS {
			continue
		}
		var text string
		if token, err = f.client.dec.Token(); err != nil {
			return
		}
		if data, ok := token.(xml.CharData); ok {
			text = string(data)
		}
		payload, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		_ = chunk.Split(payload, func(d []byte) { // serve's are well-formed
			select {
			case f.packets <- floodPacket{append([]byte(nil), d...), time.Now()}:
			default: // as lost
			}
		})
	}
}

// say writes stanzas as they are.
func (f *flooder) say(stanzas string) {
	f.Helper()
	f.writing.Lock()
	defer f.writing.Unlock()
	if _, err := io.WriteString(f.client.conn, stanzas); err != nil {
		f.Error(err)
	}
}

// packetMessage is a message with a payload.
func (f *flooder) packetMessage(payload []byte) string {
	return "<message to='" + string(f.to) + "' type='headline'><p xmlns='" + floodNS + "'>" + base64.StdEncoding.EncodeToString(payload) + "</p></message>"
}

// The methods of net.PacketConn.

func (f *flooder) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-f.packets:
		select {
		case <-time.After(time.Until(p.at.Add(f.delay - time.Since(f.began)/20))):
		case <-f.done:
		}
		return copy(b, p.data), f.to, nil
	case <-f.done:
		return 0, nil, net.ErrClosed
	}
}

func (f *flooder) WriteTo(b []byte, _ net.Addr) (int, error) {
	f.writing.Lock()
	defer f.writing.Unlock()
	if _, err := io.WriteString(f.client.conn, f.packetMessage(chunk.Append(nil, b))); err != nil {
		return 0, err
	}
	f.sent.Add(1)
	select {
	case f.wrote <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (f *flooder) Close() error                     { return nil }
func (f *flooder) LocalAddr() net.Addr              { return floodAddr(f.client.jid) }
func (f *flooder) SetReadBuffer(int) error          { return nil }
func (f *flooder) SetDeadline(time.Time) error      { return nil }
func (f *flooder) SetReadDeadline(time.Time) error  { return nil }
func (f *flooder) SetWriteDeadline(time.Time) error { return nil }

// floodTLS shows a key and believes everybody.
func floodTLS(t testing.TB, key ed25519.PrivateKey) *tls.Config {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"git-remote-xmpp"}, InsecureSkipVerify: true,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
}

// floodKey is one that nobody knows.
func floodKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// private is the key of a home's installation.
func (h *home) private() ed25519.PrivateKey {
	h.t.Helper()
	id, err := peers.LoadIdentity(h.dataDir(), "")
	if err != nil {
		h.t.Fatal(err)
	}
	return id.Private
}

// dial connects with a key. Windows that aren't set in config are those of the program.
func (f *flooder) dial(ctx context.Context, key ed25519.PrivateKey, config quic.Config) (*quic.Conn, error) {
	config.DisablePathMTUDiscovery, config.EnableDatagrams, config.InitialPacketSize = true, true, 1452
	config.HandshakeIdleTimeout = deadline
	if config.MaxIdleTimeout == 0 {
		config.MaxIdleTimeout = floodWithin
	}
	if config.MaxStreamReceiveWindow == 0 {
		config.InitialStreamReceiveWindow, config.MaxStreamReceiveWindow = 1<<20, 1<<20
		config.InitialConnectionReceiveWindow, config.MaxConnectionReceiveWindow = 3<<19, 3<<19
	}
	return f.quic.Dial(ctx, f.to, floodTLS(f, key), &config)
}

// mustDial is dial, which must work.
func (f *flooder) mustDial(key ed25519.PrivateKey, config quic.Config) *quic.Conn {
	f.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	conn, err := f.dial(ctx, key, config)
	if err != nil {
		f.Fatal(err)
	}
	return conn
}

// firstFlights begins so many handshakes and leaves each when the packets of the first flight have gone.
func (f *flooder) firstFlights(key ed25519.PrivateKey, n int) {
	f.Helper()
	const flight = 2 // packets: the keys of TLS's key exchange don't fit in one
	for range n {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		before := f.sent.Load()
		go func() {
			_, err := f.dial(ctx, key, quic.Config{})
			ended <- err
		}()
		for f.sent.Load() < before+flight {
			select {
			case <-f.wrote:
			case err := <-ended:
				if !refused(err) {
					f.Fatalf("a first flight of %d packets: %v", f.sent.Load()-before, err)
				}
				ended <- err
				before = f.sent.Load() - flight // it was soon
			case <-time.After(deadline):
				f.Fatal("no first flight")
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) && !refused(err) {
			f.Fatal(err)
		}
	}
}

// refused tells whether the other side wants no more handshakes.
func refused(err error) bool {
	var e *quic.TransportError
	return errors.As(err, &e) && e.ErrorCode == quic.ConnectionRefused
}
