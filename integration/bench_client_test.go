package integration

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// bareReadBytes is the buffer between TLS and the XML decoder, of the size that our transport has.
const bareReadBytes = 32 << 10

// A bareClient is the least that can exchange messages over a server: no QUIC, no reconnect,
// no error handling beyond giving up. What it reaches is what the server carries.
type bareClient struct {
	conn net.Conn
	dec  *xml.Decoder
	jid  string // full
}

// bareLogin logs in by STARTTLS and PLAIN and binds a resource. ctx's deadline bounds all
// reads and writes of the client.
func bareLogin(ctx context.Context, s *testserver.Server, user, resource string) (*bareClient, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return nil, err
	}
	c := &bareClient{conn: conn}
	if end, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(end)
	}
	if err == nil {
		err = c.negotiate(ctx, s, user, resource)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("log in to %s as %s: %w", s.Name, user, err)
	}
	return c, nil
}

// negotiate goes through the steps of RFC 6120, each with the answer that it expects.
func (c *bareClient) negotiate(ctx context.Context, s *testserver.Server, user, resource string) error {
	if err := c.open(s.Domain); err != nil {
		return err
	}
	if err := c.ask("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "proceed", nil); err != nil {
		return err
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	// Records as long as the writes, see the comment on padTo.
	secure := tls.Client(c.conn, &tls.Config{ServerName: s.Domain, RootCAs: pool, DynamicRecordSizingDisabled: true})
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	c.conn = secure
	if err := c.open(s.Domain); err != nil {
		return err
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + s.Accounts[user]))
	if err := c.ask("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"+plain+"</auth>", "success", nil); err != nil {
		return err
	}
	if err := c.open(s.Domain); err != nil {
		return err
	}
	var bound struct {
		JID string `xml:"bind>jid"`
	}
	err = c.ask("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>"+resource+"</resource></bind></iq>", "iq", &bound)
	if err == nil && bound.JID == "" {
		err = fmt.Errorf("no address was bound")
	}
	c.jid = bound.JID
	return err
}

// open begins a stream and reads the server's header and features.
func (c *bareClient) open(domain string) error {
	c.dec = xml.NewDecoder(bufio.NewReaderSize(c.conn, bareReadBytes))
	_, err := fmt.Fprintf(c.conn, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='%s' version='1.0'>", domain)
	if err != nil {
		return err
	}
	if _, err := c.next("stream"); err != nil {
		return err
	}
	if _, err := c.next("features"); err != nil {
		return err
	}
	return c.dec.Skip()
}

// ask writes text and reads the element that it expects into v, if that isn't nil.
func (c *bareClient) ask(text, want string, v any) error {
	if _, err := io.WriteString(c.conn, text); err != nil {
		return err
	}
	start, err := c.next(want)
	if err != nil {
		return err
	}
	if v == nil {
		return c.dec.Skip()
	}
	return c.dec.DecodeElement(v, &start)
}

// next reads up to the next start of an element, which must be of that name, if that isn't empty.
func (c *bareClient) next(want string) (xml.StartElement, error) {
	for {
		token, err := c.dec.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		if start, ok := token.(xml.StartElement); ok {
			if want != "" && start.Name.Local != want {
				return start, fmt.Errorf("the server sent <%s>, not <%s>", start.Name.Local, want)
			}
			return start, nil
		}
	}
}

// message reads the next message: the name of the element in it, and the base64 of its payload, decoded into buf.
func (c *bareClient) message(buf []byte) (element string, payload []byte, err error) {
	if _, err := c.next("message"); err != nil {
		return "", nil, err
	}
	inner, err := c.next("")
	if err != nil {
		return "", nil, err
	}
	token, err := c.dec.Token()
	if err != nil {
		return "", nil, err
	}
	text, ok := token.(xml.CharData)
	if !ok || base64.StdEncoding.DecodedLen(len(text)) > len(buf) {
		return "", nil, fmt.Errorf("a message without a payload, or with one of %d bytes", len(text))
	}
	n, err := base64.StdEncoding.Decode(buf, text)
	if err != nil {
		return "", nil, err
	}
	if err := c.dec.Skip(); err != nil { // the rest of the element
		return "", nil, err
	}
	return inner.Name.Local, buf[:n], c.dec.Skip() // the rest of the message
}

// close says goodbye, so that the server is rid of the session before the next one comes.
func (c *bareClient) close() error {
	_ = c.conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c.conn, "</stream:stream>") // a courtesy
	return c.conn.Close()
}
