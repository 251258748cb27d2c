package syncer_test

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// An answer is what a scripted peer says to a message; nil: it waits for the next one.
type answer func(m protocol.Message) []protocol.Message

// A peer is a serve elsewhere that follows a script.
type peer struct {
	*world
	key      peers.Key
	private  ed25519.PrivateKey
	resource string
	endpoint *transport.Endpoint
	heard    chan protocol.Message
	conns    chan *transport.Conn
}

// peer starts a serve for a user. A nil script says no hello.
func (w *world) peer(user string, id byte, script answer) *peer {
	w.t.Helper()
	return w.peerWith(user, peers.ResourceName([8]byte{id}), newKey(w.t), script)
}

// peerAgain starts a peer's serve once more.
func (w *world) peerAgain(p *peer, script answer) *peer {
	w.t.Helper()
	return w.peerWith(p.endpoint.JID().Localpart(), p.resource, p.private, script)
}

func (w *world) peerWith(user, resource string, private ed25519.PrivateKey, script answer) *peer {
	w.t.Helper()
	p := &peer{world: w, private: private, resource: resource, heard: make(chan protocol.Message, 10000), conns: make(chan *transport.Conn, 1000)}
	p.key, _ = peers.KeyOf(private.Public().(ed25519.PublicKey))
	p.endpoint = w.endpoint(user, private, resource, nil, nil)
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			conn, err := p.endpoint.Accept(ctx)
			if err != nil {
				return
			}
			p.conns <- conn
			tasks.Go(func() { p.talk(ctx, conn, script) })
		}
	})
	w.t.Cleanup(func() {
		cancel()
		p.endpoint.Close()
		tasks.Wait()
	})
	return p
}

func (p *peer) talk(ctx context.Context, conn *transport.Conn, script answer) {
	control, err := conn.AcceptStream(ctx)
	if err != nil || script == nil {
		return
	}
	_ = protocol.Write(control, &protocol.Hello{Major: protocol.Major, Minor: protocol.Minor}) // bob may have gone
	for r := protocol.NewReader(control); ; {
		m, err := r.Next()
		if err != nil {
			return
		}
		if m.Type() == protocol.TypeHello {
			continue
		}
		p.heard <- m
		for _, a := range script(m) {
			if protocol.Write(control, a) != nil {
				return
			}
		}
	}
}

// pin says that the peer is behind its address.
func (p *peer) pin() *peer {
	p.t.Helper()
	must(p.t, p.store.Pin(p.t.Context(), p.key, p.endpoint.JID().Bare().String(), p.resource, ""))
	return p
}

// grant lets the peer's key in, as an invite does.
func (p *peer) grant(access peers.Access) *peer {
	p.t.Helper()
	secret, err := p.store.NewInvite(p.t.Context(), peers.InviteRequest{RepoUUID: p.uuid, Access: peers.Read, Expires: deadline})
	must(p.t, err)
	_, err = p.store.Redeem(p.t.Context(), secret, p.key, p.endpoint.JID().Bare().String(), "", time.Now())
	must(p.t, err)
	must(p.t, p.store.SetAccess(p.t.Context(), p.key, []string{p.uuid}, access))
	return p
}

// announce has the peer announce one of its repositories, as package serve passes it on.
func (p *peer) announce(uuid string) {
	p.t.Helper()
	r, err := p.repository(p.t.Context())
	must(p.t, err)
	must(p.t, p.syncer.Announced(p.t.Context(), r, p.key, uuid, p.endpoint.JID().Bare(), p.resource))
}

// remote makes the peer one behind a remote of bob's repository.
func (p *peer) remote(name string) *peer {
	p.t.Helper()
	p.git("-C", p.dir, "remote", "add", name, "xmpp::"+p.endpoint.JID().Bare().String()+"/there")
	return p.pin()
}

// nothing is a peer that has nothing and wants nothing.
func nothing(m protocol.Message) []protocol.Message {
	switch m := m.(type) {
	case *protocol.Announce:
		return []protocol.Message{&protocol.Announced{From: uuid1, To: m.From}}
	case *protocol.CanPush:
		return []protocol.Message{&protocol.NothingNeeded{From: m.To, To: m.From}}
	case *protocol.PushRequest:
		return []protocol.Message{&protocol.NothingNeeded{From: m.To, To: m.From}}
	default:
		return nil
	}
}

// has is a peer that has a tip, too, which nobody else has.
func has(ref string) answer { return hasAt(ref, strings.Repeat("01", 20)) }

func hasAt(ref, id string) answer {
	return func(m protocol.Message) []protocol.Message {
		request, ok := m.(*protocol.PushRequest)
		if !ok || len(request.Refs) > 0 {
			if ok {
				return nil
			}
			return nothing(m)
		}
		tip, _ := hex.DecodeString(id)
		return []protocol.Message{&protocol.CanPush{From: request.To, To: request.From, Tips: [][]byte{tip}, Refs: []string{ref}}}
	}
}

// hears waits for a message that the test is for.
func (p *peer) hears(what string, is func(protocol.Message) bool) protocol.Message {
	p.t.Helper()
	for {
		if m := get(p.t, what, p.heard); is(m) {
			return m
		}
	}
}

// offers tells whether a message offers a branch at a commit.
func offers(branch, id string) func(protocol.Message) bool {
	return func(m protocol.Message) bool {
		offer, ok := m.(*protocol.CanPush)
		if !ok {
			return false
		}
		for i, ref := range offer.Refs {
			if ref == "refs/heads/"+branch && hex.EncodeToString(offer.Tips[i]) == id {
				return true
			}
		}
		return false
	}
}

// isAsk tells whether a message asks what there is.
func isAsk(m protocol.Message) bool {
	request, ok := m.(*protocol.PushRequest)
	return ok && len(request.Refs) == 0
}
