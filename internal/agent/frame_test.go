package agent

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// Whatever comes is understood or refused; what is understood can be printed, and keeps to the limits.
func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(nil, typeRequest, Request{"alice", jid.MustParse("bob@localhost"), make(ed25519.PublicKey, ed25519.PublicKeySize), time.Second}.encode()))
	f.Add(appendFrame(nil, typeFailed, encodeFailure(&protocol.Refuse{Code: protocol.CodeBusy, Text: "busy"})))
	f.Add(appendFrame(nil, typeFailed, encodeFailure(errors.New("one\nline"))))
	f.Add(appendFrame(nil, typeCancel, encodeCode(protocol.CodeTimeout)))
	f.Add(appendFrame(nil, typeStatus, nil))
	f.Add(appendFrame(nil, typePath, encodePath(transport.Path{Why: "one\nline"})))
	f.Add([]byte("\x06\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, buf := bytes.NewReader(b), make([]byte, maxDataBytes)
		for {
			kind, payload, err := readFrame(r, buf)
			if err != nil {
				return
			}
			switch kind {
			case typeRequest:
				if r, err := decodeRequest(payload); err == nil && (r.To.Localpart() == "" || r.Timeout <= 0) {
					t.Errorf("%v is no request", r)
				}
			case typeFailed:
				e, err := decodeFailure(payload)
				if err == nil && (len(e.Error()) > 4*maxTextBytes || strings.ContainsFunc(e.Error(), unicode.IsControl)) {
					t.Errorf("%q can't be printed", e)
				}
			case typePath:
				if p, err := decodePath(payload); err == nil && (len(p.Why) > 4*maxTextBytes || strings.ContainsFunc(p.Why+p.Address, unicode.IsControl)) {
					t.Errorf("%+v can't be printed", p)
				}
			case typeCancel:
				_, _ = decodeCode(payload)
			}
		}
	})
}
