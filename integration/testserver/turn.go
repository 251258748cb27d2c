package testserver

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TURNServer is a running coturn: STUN and TURN over UDP, TCP and TLS (RFC 8489, RFC 8656).
type TURNServer struct {
	Host    string
	Port    int    // of UDP and TCP
	TLSPort int    // of TLS
	CAFile  string // PEM, what verifies the certificate, which is for Host
	Secret  string // from which a client's password is made (draft-uberti-behave-turn-rest)
	Dir     string // everything the server writes lies here

	place Place
	proc  *process
}

// NewTURN starts coturn at a place for a test, which is skipped, or fails, where that can't be had.
func NewTURN(t testing.TB, place Place) *TURNServer {
	t.Helper()
	Require(t, TURN)
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	s, err := StartTURN(ctx, place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// StartTURN starts coturn at a place with its files in a temporary folder, and returns when it answers.
func StartTURN(ctx context.Context, place Place) (*TURNServer, error) {
	dir, _, err := makeDir("", "turnserver-")
	if err != nil {
		return nil, fmt.Errorf("start turnserver: %w", err)
	}
	s := &TURNServer{Host: place.host(), Secret: rand.Text(), Dir: dir, place: place}
	place.in(func() { err = s.startOnFreePort(ctx) })
	if err != nil {
		err = fmt.Errorf("start turnserver: %w%s", err, tail(s.logFile()))
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *TURNServer) logFile() string { return filepath.Join(s.Dir, "output.log") }

// startOnFreePort tries up to portTries ports.
func (s *TURNServer) startOnFreePort(ctx context.Context) error {
	var err error
	for range portTries {
		var ports []int
		if ports, err = freePorts(s.Host, 2); err != nil {
			return err
		}
		if err = s.startOn(ctx, ports[0], ports[1]); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// startOn runs the server on ports and returns when it answers there.
func (s *TURNServer) startOn(ctx context.Context, port, tlsPort int) error {
	s.Port, s.TLSPort = port, tlsPort
	path, err := findProgram("turnserver")
	if err != nil {
		return err
	}
	pair, err := makeKeyPair(s.Dir, DefaultDomain, nil, net.ParseIP(s.Host))
	if err != nil {
		return err
	}
	s.CAFile = pair.caFile
	config := filepath.Join(s.Dir, "turnserver.conf")
	if err := os.WriteFile(config, []byte(s.config(pair)), 0o600); err != nil {
		return err
	}
	logged := size(s.logFile())
	if s.proc, err = startProcess(exec.Command(path, "-c", config), s.logFile(), Options{Place: s.place}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return s.awaitUp(ctx, logged)
}

// config is the configuration file (turnserver(1)).
func (s *TURNServer) config(pair *keyPair) string {
	return strings.Join([]string{
		"listening-ip=" + s.Host, "relay-ip=" + s.Host, fmt.Sprintf("listening-port=%d", s.Port), fmt.Sprintf("tls-listening-port=%d", s.TLSPort), "realm=localhost",
		"cert=" + pair.certFile, "pkey=" + pair.keyFile, "use-auth-secret", "static-auth-secret=" + s.Secret, "no-dtls", "no-cli", "fingerprint", "no-rfc5780",
		"allow-loopback-peers", "log-file=stdout", "no-stdout-log=false", "simple-log",
		"pidfile=" + filepath.Join(s.Dir, "pid"), "userdb=" + filepath.Join(s.Dir, "db"), "",
	}, "\n")
}

// Credentials are a client's, good for an hour.
func (s *TURNServer) Credentials() (user, password string) {
	user = strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)
	mac := hmac.New(sha1.New, []byte(s.Secret))
	mac.Write([]byte(user))
	return user, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// awaitUp returns nil when the server answers a client.
func (s *TURNServer) awaitUp(ctx context.Context, logged int64) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		err := probeSTUN(ctx, hostPort(s.Host, s.Port))
		if err == nil {
			return nil
		}
		if saysPortTaken(s.logFile(), logged) {
			return errors.Join(errPortTaken, s.proc.stop(false))
		}
		select {
		case <-s.proc.done:
			return fmt.Errorf("it ended by itself: %v", s.proc.err)
		case <-ctx.Done():
			return fmt.Errorf("it doesn't come up: %w (%v)", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// probeSTUN asks a server by which address it sees us, by a Binding request without attributes (RFC 8489, 5), and waits for any answer to it.
func probeSTUN(ctx context.Context, addr string) error {
	const request, cookie = 0x0001, 0x2112A442
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp4", addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // only a probe
	if err := conn.SetDeadline(time.Now().Add(probeTimeout / 4)); err != nil {
		return err
	}
	message := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, request<<16), cookie)
	message = append(message, rand.Text()[:12]...)
	if _, err := conn.Write(message); err != nil {
		return err
	}
	answer := make([]byte, 1500)
	n, err := conn.Read(answer)
	if err == nil && (n < len(message) || string(answer[4:20]) != string(message[4:20])) {
		err = errors.New("an answer to something else")
	}
	return err
}

// Stop ends the server and removes its folder.
func (s *TURNServer) Stop() error {
	if s.proc != nil {
		if err := s.proc.stop(true); err != nil {
			return fmt.Errorf("stop turnserver: %w", err)
		}
		s.proc = nil
	}
	return os.RemoveAll(s.Dir)
}
