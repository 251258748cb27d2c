package serve_test

import (
	"slices"
	"testing"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
)

var writeProj = map[string]peers.Access{"proj": peers.Write}

func TestOtherVersion(t *testing.T) {
	g := newWorld(t, deadline, "proj").guest("alice", writeProj)
	if err := protocol.Write(g.control, &protocol.Hello{Major: 2}); err != nil {
		t.Fatal(err)
	}
	if m, err := g.replies.Next(); err != nil || m.(*protocol.Hello).Major != protocol.Major {
		t.Errorf("%+v, %v", m, err)
	}
	m, err := g.replies.Next()
	if refusal, ok := m.(*protocol.Refuse); err != nil || !ok || refusal.Code != protocol.CodeVersion {
		t.Errorf("%+v, %v", m, err)
	}
	if code := g.closed(); code != protocol.CodeVersion {
		t.Errorf("closed with %v", code)
	}
}

func TestNoHello(t *testing.T) {
	g := newWorld(t, deadline, "proj").guest("alice", writeProj)
	if err := protocol.Write(g.control, &protocol.Queued{}); err != nil {
		t.Fatal(err)
	}
	if code := g.closed(); code != protocol.CodeProtocol {
		t.Errorf("closed with %v", code)
	}
}

// Somebody who has the password of a known peer's account, but not its key.
func TestKnownAddressOfUnknownKey(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	w.introduce(peers.Key{1}, "alice@localhost", w.repos["proj"].UUID, peers.Write)
	g := w.guest("alice", nil)
	if err := protocol.Write(g.control, &protocol.Hello{Major: protocol.Major}); err != nil {
		t.Fatal(err)
	}
	m, err := g.replies.Next()
	if refusal, ok := m.(*protocol.Refuse); err != nil || !ok || refusal.Code != protocol.CodeDenied {
		t.Errorf("%+v, %v", m, err)
	}
	if code := g.closed(); code != protocol.CodeDenied {
		t.Errorf("closed with %v", code)
	}
}

func TestInviteThatNobodyMade(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	w.introduce(peers.Key{1}, "alice@localhost", w.repos["proj"].UUID, peers.Write)
	g := w.guest("alice", nil)
	if err := protocol.Write(g.control, &protocol.Hello{Major: protocol.Major, Invite: make([]byte, 16)}); err != nil {
		t.Fatal(err)
	}
	m, err := g.replies.Next()
	if refusal, ok := m.(*protocol.Refuse); err != nil || !ok || refusal.Code != protocol.CodeInviteUnknown {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, deadline, "proj", "read", "hidden", "x/same", "y/same")
	g := w.guest("alice", map[string]peers.Access{"proj": peers.Write, "read": peers.Read, "x/same": peers.Read, "y/same": peers.Read}).hello()
	push := func(name string) *protocol.Open {
		return &protocol.Open{Service: protocol.ReceivePack, Repository: name, Client: clientA}
	}
	fetch := func(name string) *protocol.Open {
		return &protocol.Open{Service: protocol.UploadPack, Repository: name}
	}
	g.refused(fetch("nothing"), protocol.CodeNoRepository)
	g.refused(fetch("hidden"), protocol.CodeNoRepository) // no word on what is there
	g.refused(push("hidden"), protocol.CodeNoRepository)
	g.refused(fetch(w.repos["hidden"].UUID), protocol.CodeNoRepository)
	g.refused(push("read"), protocol.CodeReadOnly)
	refusal := g.refused(fetch("same"), protocol.CodeAmbiguous)
	if want := []string{w.repos["x/same"].UUID, w.repos["y/same"].UUID}; !slices.Equal(refusal.Names, want) {
		t.Errorf("names %v, want %v", refusal.Names, want)
	}
	refusal = g.refused(fetch(""), protocol.CodeAmbiguous)
	if len(refusal.Names) != 4 || slices.Contains(refusal.Names, "hidden") {
		t.Errorf("names %v", refusal.Names)
	}
	g.fetches("read")
	g.fetches("proj")
}

// The UUID of a client belongs to the first key that names it.
func TestUUIDOfAnotherKey(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	alice, carol := w.guest("alice", writeProj).hello(), w.guest("carol", writeProj).hello()
	open := &protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: clientA}
	s, r := alice.open(open)
	if m, err := r.Next(); err != nil || m.Type() != protocol.TypeAccept {
		t.Fatalf("%+v, %v", m, err)
	}
	_ = s.Close()
	carol.refused(open, protocol.CodeUUIDBound)
}

// A stream that makes no sense is given up; the connection and others on it go on.
func TestNonsenseOnAStream(t *testing.T) {
	g := newWorld(t, deadline, "proj").guest("alice", writeProj).hello()
	for name, bytes := range map[string]string{
		"other frame":   "\x04\x00\x00\x03\xa1\x01\x02",
		"malformed":     "\x02\x00\x00\x01\x80",
		"too large":     "\x02\xff\xff\xff",
		"bad service":   "\x02\x00\x00\x06\xa1\x01\x63foo",
		"data":          "\x07\x00\x00\x01x",
		"unknown flood": "\x7f\xff\xff\xff",
	} {
		s, err := g.conn.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte(bytes)); err != nil {
			t.Fatal(err)
		}
		if _, err := protocol.NewReader(s).Next(); err == nil {
			t.Errorf("%s: answered", name)
		}
	}
	g.fetches("proj")
}

// Access that is taken away counts at once, also on a connection that is there.
func TestRevoked(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	g := w.guest("alice", writeProj).hello()
	g.fetches("proj")
	list, err := w.store.List()
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if err := w.store.SetAccess(t.Context(), list[0].Key, []string{w.repos["proj"].UUID}, peers.None); err != nil {
		t.Fatal(err)
	}
	g.refused(&protocol.Open{Service: protocol.UploadPack, Repository: "proj"}, protocol.CodeNoRepository)
}
