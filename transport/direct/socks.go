package direct

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

const (
	dialWithin  = 4 * time.Second // to connect to a proxy
	socksWithin = 4 * time.Second // for it to answer

	socksVersion, socksNoAuth, socksConnect, socksName = 5, 0, 1, 3 // RFC 1928
)

var errSocks = errors.New("the proxy doesn't answer as one for bytestreams does")

// A StreamName is what both ends call a stream at a proxy: the SHA-1 hash of XEP-0065, 5.3.2.
type StreamName [20]byte

// dialProxy asks a proxy for a stream (XEP-0065, 5.3.2).
func dialProxy(ctx context.Context, addr netip.AddrPort, name StreamName) (net.Conn, error) {
	d := net.Dialer{Timeout: dialWithin}
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = errors.Join(conn.SetDeadline(time.Now().Add(socksWithin)), askProxy(conn, name), conn.SetDeadline(time.Time{}))
	if !stop() {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// askProxy says each thing in one write, and waits for the answer, for there are proxies that read no more than one at a time.
func askProxy(conn io.ReadWriter, name StreamName) error {
	if _, err := conn.Write([]byte{socksVersion, 1, socksNoAuth}); err != nil {
		return err
	}
	var method [2]byte
	if _, err := io.ReadFull(conn, method[:]); err != nil {
		return err
	}
	if method != [2]byte{socksVersion, socksNoAuth} {
		return fmt.Errorf("%w: method %d.%d", errSocks, method[0], method[1])
	}
	host := hex.EncodeToString(name[:])
	request := append([]byte{socksVersion, socksConnect, 0, socksName, byte(len(host))}, host...)
	if _, err := conn.Write(append(request, 0, 0)); err != nil {
		return err
	}
	var answer [5]byte // as far as the length of the name
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	if answer[0] != socksVersion || answer[1] != 0 || answer[3] != socksName {
		return fmt.Errorf("%w: answer %d.%d", errSocks, answer[0], answer[1])
	}
	_, err := io.ReadFull(conn, make([]byte, int(answer[4])+2))
	return err
}
