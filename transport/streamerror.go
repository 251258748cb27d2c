package transport

import (
	"encoding/xml"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"
)

// A streamError is what a server says before it closes a stream (RFC 6120, 4.9).
type streamError struct {
	condition string
	text      string // both as the server wrote them, but short and safe for a terminal
	other     string // of see-other-host: where to
}

func (e *streamError) Error() string {
	said := "the server closed the stream: " + e.condition
	if e.text != "" {
		said += " (" + e.text + ")"
	}
	if hint := streamErrors[e.condition].hint; hint != "" {
		said += ": " + hint
	}
	return said
}

// isFinal tells whether another, slower login to the same server is no use now.
func (e *streamError) isFinal() bool { return streamErrors[e.condition].final }

// streamErrors are the conditions that mean more than that the stream has ended.
var streamErrors = map[string]struct {
	hint  string
	final bool
	wait  time.Duration // before the next login; 0: as after any lost link
}{
	"conflict":              {"another program logged in with our resource", true, conflictBackoff},
	"host-gone":             {"it doesn't serve this domain any more: check xmpp.account and xmpp.server", true, busyBackoff},
	"host-unknown":          {"it doesn't serve this domain: check xmpp.account and xmpp.server", true, busyBackoff},
	"internal-server-error": {"the server has a fault: its operator's log says more", false, 0},
	"not-authorized":        {"the account may have been changed or removed", false, 0},
	"policy-violation":      {"it is against a rule of the server, such as a limit of bytes or of logins", false, 0},
	"resource-constraint":   {"the server is short of something, such as memory or connections: try again later", true, busyBackoff},
	"see-other-host":        {"", true, 0},
	"system-shutdown":       {"the server is shutting down: try again later", true, 0},
}

// waitAfter is how long the next login waits at least after a link has ended with an error.
func waitAfter(err error) time.Duration {
	var e *streamError
	if !errors.As(err, &e) {
		return 0
	}
	return streamErrors[e.condition].wait
}

func (s *stream) readStreamError(start xml.StartElement) error {
	var e struct {
		Children []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := s.decode(&e, start); err != nil {
		return err
	}
	result := &streamError{condition: "undefined-condition"}
	for _, c := range e.Children {
		switch {
		case c.XMLName.Space != nsStreams:
		case c.XMLName.Local == "text":
			result.text = clean(c.Text)
		default:
			result.condition = clean(c.XMLName.Local)
			result.other = clean(c.Text)
		}
	}
	return result
}

// redirect is where a server wants us to log in instead (RFC 6120, 4.9.3.19). Who it is there is checked as here: the certificate must be for the account's
// domain. So whoever says it can delay us, and no more. It is nil if the server named none.
func redirect(err error) *target {
	var e *streamError
	if !errors.As(err, &e) || e.condition != "see-other-host" {
		return nil
	}
	host, port, err := net.SplitHostPort(e.other)
	if err != nil {
		host, port = strings.Trim(e.other, "[]"), defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, " /[]%") {
		return nil
	}
	return &target{addr: net.JoinHostPort(host, port)}
}
