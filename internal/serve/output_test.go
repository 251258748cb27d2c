package serve_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/protocol"
)

// An accept comes with git's advertisement, in one piece; where git says nothing, or not soon, it comes alone.
func TestAcceptWithAdvertisement(t *testing.T) {
	for _, c := range []struct {
		service protocol.Service
		delay   time.Duration
		alone   bool
	}{
		{protocol.ReceivePack, time.Hour, false},
		{protocol.UploadPack, time.Hour, false},
		{protocol.UploadArchive, time.Hour, true},
		{protocol.ReceivePack, 1, true},
	} {
		t.Run(c.service.String(), func(t *testing.T) {
			old := serve.SetAcceptDelay(c.delay)
			t.Cleanup(func() { serve.SetAcceptDelay(old) }) // when the world is gone
			g := newWorld(t, deadline, "proj").guest("alice", writeProj).hello()
			s, _ := g.open(&protocol.Open{Service: c.service, Repository: "proj", Client: clientA})
			first := make([]byte, 64<<10)
			n, err := s.Read(first)
			if err != nil {
				t.Fatal(err)
			}
			r := protocol.NewReader(bytes.NewReader(first[:n]))
			if m, err := r.Next(); err != nil || m.Type() != protocol.TypeAccept {
				t.Fatalf("%v, %v", m, err)
			}
			m, err := r.Next()
			switch {
			case c.alone && !errors.Is(err, io.EOF):
				t.Errorf("with the accept came %v, %v", m, err)
			case !c.alone && (err != nil || m.Type() != protocol.TypeData):
				t.Errorf("with the accept came %v, %v", m, err)
			}
		})
	}
}
