package doctor

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// maxRefsBytes is how much of a list of refs is read.
const maxRefsBytes = 24 << 20

// refs reads the advertisement of git upload-pack (gitprotocol-pack(5), Reference Discovery) and takes nothing.
func (v *visit) refs(t *tunnel.Tunnel, accept *protocol.Accept) {
	n, err := countRefs(&output{Tunnel: t})
	if err == nil {
		err = leave(t)
	}
	if err != nil {
		v.steps.Fail("refs", fmt.Errorf("%s: %w", accept.Name, t.Explain(err)), "")
		return
	}
	v.steps.OK("refs", "%d in %s (%s)", n, accept.Name, accept.Repository)
}

// refsAdvice is what the user can do about a refusal.
func refsAdvice(err error) string {
	switch {
	case errors.Is(err, protocol.CodeNoRepository), errors.Is(err, protocol.CodeDenied):
		return "check the name, and ask its owner whether you may read it: git-remote-xmpp peers there, or a new invite"
	case errors.Is(err, protocol.CodeAmbiguous):
		return "put one of the names into the URL"
	}
	return ""
}

func countRefs(in io.Reader) (n int, err error) {
	scanner := pktline.NewScanner(io.LimitReader(in, maxRefsBytes))
	for scanner.Scan() {
		line, _, _ := strings.Cut(strings.TrimSpace(string(scanner.Bytes())), "\x00")
		switch _, name, _ := strings.Cut(line, " "); {
		case line == "":
			return n, nil
		case strings.HasPrefix(name, "refs/") && !strings.HasSuffix(name, "^{}"): // HEAD is one of them, a peeled tag is one of the others
			n++
		}
	}
	if err := scanner.Err(); err != nil {
		return 0, err
	}
	return 0, io.ErrUnexpectedEOF
}

// leave tells git there that nothing is wanted, and waits for its end.
func leave(t *tunnel.Tunnel) error {
	if err := t.Write(protocol.Data("0000")); err != nil {
		return err
	}
	if err := t.CloseWrite(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, io.LimitReader(&output{Tunnel: t}, maxRefsBytes))
	return err
}

// An output is what comes from the service, until it ends.
type output struct {
	*tunnel.Tunnel
	rest []byte
}

// Read reads standard output, and leaves out the other.
func (o *output) Read(p []byte) (int, error) {
	for len(o.rest) == 0 {
		m, err := o.Next()
		if err != nil {
			return 0, err
		}
		switch m := m.(type) {
		case protocol.Data:
			o.rest = m
		case protocol.Stderr:
		case *protocol.Done:
			return 0, io.EOF
		default:
			return 0, tunnel.Unexpected(m)
		}
	}
	n := copy(p, o.rest)
	o.rest = o.rest[n:]
	return n, nil
}
