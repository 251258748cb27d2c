package testserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	probeTimeout    = time.Second // for one whole probe; another follows
	probeReplyBytes = 64 << 10    // what a probe reads at most
)

// probe checks that an XMPP server with our certificate answers: a stream
// header with features and STARTTLS on addr, and TLS on direct. The certificate
// tells our server from somebody else's who took the port first.
func probe(ctx context.Context, addr, direct, domain string, pool *x509.CertPool) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := probeSTARTTLS(ctx, addr, domain, pool); err != nil {
		return fmt.Errorf("probe %s: %w", addr, err)
	}
	conn, err := dial(ctx, direct)
	if err != nil {
		return fmt.Errorf("probe %s: %w", direct, err)
	}
	defer conn.Close() //nolint:errcheck // only a probe
	if err := handshake(ctx, conn, domain, pool); err != nil {
		return fmt.Errorf("probe %s: %w", direct, err)
	}
	return nil
}

// probeSTARTTLS opens a stream on addr and goes as far as a TLS handshake
// (RFC 6120, sections 4.2 and 5.4).
func probeSTARTTLS(ctx context.Context, addr, domain string, pool *x509.CertPool) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // only a probe
	_, err = fmt.Fprintf(conn, "<?xml version='1.0'?><stream:stream to='%s' version='1.0'"+
		" xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>", domain)
	if err != nil {
		return err
	}
	replies := xml.NewDecoder(io.LimitReader(conn, probeReplyBytes))
	if err := awaitEnd(replies, "features"); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); err != nil {
		return err
	}
	if err := awaitEnd(replies, "proceed"); err != nil {
		return err
	}
	return handshake(ctx, conn, domain, pool)
}

// awaitEnd reads until an element of that name ends. A stream error, as of a
// server that isn't done loading its modules, ends the wait.
func awaitEnd(d *xml.Decoder, name string) error {
	for {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("wait for <%s/>: %w", name, err)
		}
		end, _ := token.(xml.EndElement)
		switch end.Name.Local {
		case name:
			return nil
		case "error", "stream":
			return fmt.Errorf("wait for <%s/>: the server ended the stream", name)
		}
	}
}

// dial connects to addr; reads and writes fail at the context's deadline.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	return conn, conn.SetDeadline(deadline)
}

// handshake verifies the server's certificate against the pool. A certificate
// that isn't ours is errPortTaken.
func handshake(ctx context.Context, conn net.Conn, domain string, pool *x509.CertPool) error {
	client := tls.Client(conn, &tls.Config{ServerName: domain, RootCAs: pool, MinVersion: tls.VersionTLS12})
	err := client.HandshakeContext(ctx)
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return err
}
