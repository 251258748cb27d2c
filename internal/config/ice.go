package config

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

const (
	// maxICEServers is how many servers xmpp.iceServers may name.
	maxICEServers = 8
	iceWant       = "a list of stun:host[:port], turn:user@host[:port][?transport=tcp] and turns:user@host[:port]"

	icePort, iceTLSPort = 3478, 5349
)

// An ICEServer is a STUN or TURN server of xmpp.iceServers.
type ICEServer struct {
	TURN, TLS, TCP bool
	Host           string
	Port           int
	User           string // of a TURN server
}

// setICEServers reads servers, with spaces between them.
func setICEServers(s *Settings, v string) bool {
	fields := strings.Fields(v)
	if len(fields) == 0 || len(fields) > maxICEServers {
		return false
	}
	for _, text := range fields {
		server, ok := parseICEServer(text)
		if !ok {
			return false
		}
		s.ICEServers = append(s.ICEServers, server)
	}
	return true
}

// parseICEServer reads a URI of a server (RFC 7064, RFC 7065), with the user's name in front of a TURN server's host.
func parseICEServer(text string) (s ICEServer, ok bool) {
	scheme, rest, ok := strings.Cut(text, ":")
	s.Port = icePort
	switch scheme {
	case "stun":
	case "turn":
		s.TURN = true
	case "turns":
		s.TURN, s.TLS, s.TCP, s.Port = true, true, true, iceTLSPort
	default:
		return s, false
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	if hasQuery && (!s.TURN || query != "transport=tcp" && query != "transport=udp") {
		return s, false
	}
	s.TCP = hasQuery && query == "transport=tcp" || s.TLS && !hasQuery
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		s.User, rest = rest[:at], rest[at+1:]
	}
	if s.TURN != (s.User != "") || badCredential(s.User) {
		return s, false
	}
	s.Host = strings.Trim(rest, "[]")
	if host, port, err := net.SplitHostPort(rest); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return s, false
		}
		s.Host, s.Port = host, int(n)
	}
	return s, ok && s.Host != "" && !strings.ContainsFunc(s.Host, notHostRune)
}

var errNoTURNPassword = errors.New("git's credential helpers have no password for it")

// TURNPassword asks git's credential helpers for the password of a TURN server: protocol turn, its host and port, and the user. Nobody is asked on a terminal: it works without
// a TURN server, too.
func TURNPassword(ctx context.Context, s Settings, server ICEServer) (string, error) {
	if badCredential(server.Host) || badCredential(server.User) {
		return "", ErrBadPassword
	}
	host := net.JoinHostPort(server.Host, strconv.Itoa(server.Port))
	in := "protocol=turn\nhost=" + host + "\nusername=" + server.User + "\n\n"
	out, err := s.origin().git(ctx, []byte(in), []string{promptVar + "=0", "GIT_ASKPASS=", "SSH_ASKPASS="}, "-c", "core.askPass=", "credential", "fill")
	if err != nil {
		return "", fmt.Errorf("%s: %w", host, err)
	}
	password := credentialValue(out, "password")
	if password == "" || badCredential(password) {
		return "", fmt.Errorf("%s: %w", host, errNoTURNPassword)
	}
	return password, nil
}
