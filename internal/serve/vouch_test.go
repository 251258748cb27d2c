package serve_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

var readProj = map[string]peers.Access{"proj": peers.Read}

// vouches says that these are a guest's own.
func vouches(machines ...transport.Config) *protocol.Hello {
	hello := &protocol.Hello{Major: protocol.Major, Minor: protocol.Minor}
	for _, cfg := range machines {
		key := keyOf(cfg)
		hello.Vouches = append(hello.Vouches, protocol.Vouch{Key: key[:], Resource: peers.ResourceName([8]byte{1}), Label: cfg.Account.String()})
	}
	return hello
}

// says sends frames, and returns the answer to the first, a hello, or why there is none.
func (g *guest) says(messages ...protocol.Message) (protocol.Message, error) {
	g.t.Helper()
	for _, m := range messages {
		if err := protocol.Write(g.control, m); err != nil {
			g.t.Fatal(err)
		}
	}
	return g.replies.Next()
}

// welcome sends a hello and expects one.
func (g *guest) welcome(hello *protocol.Hello) *protocol.Hello {
	g.t.Helper()
	m, err := g.says(hello)
	theirs, ok := m.(*protocol.Hello)
	if err != nil || !ok {
		g.t.Fatalf("answer to hello: %+v, %v", m, err)
	}
	return theirs
}

// A machine that a peer vouches for is let in, may do what the peer may, and can't vouch itself.
func TestVouchedGuest(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	second, third := w.config("alice"), w.config("alice")
	second.Resource, third.Resource = "git-second", "git-third"
	alice := w.guest("alice", readProj)
	alice.welcome(vouches(second))
	guest := w.connect(second)
	guest.welcome(vouches(third))
	guest.fetches("proj")
	guest.refused(&protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: clientA}, protocol.CodeReadOnly)
	m, err := w.connect(third).says(&protocol.Hello{Major: protocol.Major})
	if refusal, ok := m.(*protocol.Refuse); err != nil || !ok || refusal.Code != protocol.CodeDenied {
		t.Errorf("vouched for by one that is vouched for: %+v, %v", m, err)
	}
	if err := w.store.Remove(t.Context(), alice.key()); err != nil {
		t.Fatal(err)
	}
	guest.refused(&protocol.Open{Service: protocol.UploadPack, Repository: "proj"}, protocol.CodeNoRepository)
}

// key is the guest's own, the one that was introduced last.
func (g *guest) key() peers.Key {
	g.t.Helper()
	list, err := g.store.List()
	if err != nil || len(list) == 0 {
		g.t.Fatal(err)
	}
	return list[0].Key
}

// A hello that says too much, or isn't followed by what it announces, ends the connection and changes nothing.
func TestHostileHellos(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	w.guest("alice", readProj).welcome(vouches())
	cfg := w.config("carol")
	w.introduce(keyOf(cfg), cfg.Account.String(), w.repos["proj"].UUID, peers.Read)
	before, err := w.store.List()
	if err != nil {
		t.Fatal(err)
	}
	hello := vouches(w.config("carol"))
	hello.Shares = 1
	announced, err := protocol.Append(nil, hello)
	if err != nil {
		t.Fatal(err)
	}
	other, err := protocol.Append(announced, &protocol.Queued{})
	if err != nil {
		t.Fatal(err)
	}
	for name, frames := range map[string][]byte{"17 vouches": tooMany(t), "other frame": other} {
		cfg.Resource = "git-" + name[:2]
		g := w.connect(cfg)
		if _, err := g.control.Write(frames); err != nil {
			t.Fatal(err)
		}
		if m, err := g.replies.Next(); err == nil {
			t.Errorf("%s: answered with %+v", name, m)
		}
		if code := g.closed(); code != protocol.CodeProtocol {
			t.Errorf("%s: closed with %v", name, code)
		}
	}
	after, err := w.store.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(after) != len(before) {
		t.Errorf("known are %+v, were %+v", after, before)
	}
	for i := range after {
		if !reflect.DeepEqual(after[i].Access, before[i].Access) || len(after[i].VouchedBy) != 0 {
			t.Errorf("is %+v, was %+v", after[i], before[i])
		}
	}
}

// tooMany is a hello with 17 vouches, which can't be made as others are.
func tooMany(t *testing.T) []byte {
	t.Helper()
	var frames [2][]byte
	for i, n := range []int{15, 16} {
		hello := &protocol.Hello{Major: protocol.Major}
		for j := range n {
			hello.Vouches = append(hello.Vouches, protocol.Vouch{Key: append(bytes.Repeat([]byte{9}, 31), byte(j)), Resource: peers.ResourceName([8]byte{1})})
		}
		var err error
		if frames[i], err = protocol.Append(nil, hello); err != nil {
			t.Fatal(err)
		}
	}
	frame, entry := frames[1], len(frames[1])-len(frames[0])
	count := len(frame) - 16*entry - 1
	if frame[count] != 0x80+16 {
		t.Fatalf("%x: not the head of 16 entries", frame[count])
	}
	frame[count]++
	last := bytes.Clone(frame[len(frame)-entry:])
	frame = append(frame, bytes.ReplaceAll(last, []byte{9, 15}, []byte{9, 16})...)
	binary.BigEndian.PutUint32(frame, uint32(protocol.TypeHello)<<24|uint32(len(frame)-4))
	if _, err := protocol.NewReader(bytes.NewReader(frame)).Next(); !errors.Is(err, protocol.ErrMalformed) || !bytes.Contains([]byte(err.Error()), []byte("too many vouches")) {
		t.Fatalf("17 vouches: %v", err)
	}
	return frame
}
