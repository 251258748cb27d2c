package serve_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// What a peer does with a stream.
type kind int

const (
	finish      kind = iota // as git does
	giveUp                  // cancel it at some moment
	leave                   // open it and do nothing more
	hangUp                  // end its direction after the open
	garbage                 // in place of an open
	garbageThen             // after the open was accepted
	forbidden               // ask for what it may not have
	kinds
)

func (k kind) String() string {
	return [kinds]string{"finish", "give up", "leave", "hang up", "garbage", "garbage then", "forbidden"}[k]
}

// crowdWeights are how often they do it.
var crowdWeights = [kinds]int{finish: 10, giveUp: 6, leave: 1, hangUp: 2, garbage: 2, garbageThen: 2, forbidden: 1}

// A scripted peer is an installation with several clients.
type scripted struct {
	*crowd
	n        int
	endpoint *transport.Endpoint
	random   *rand.Rand // of run's goroutine alone
	pushes   int
}

// A plan is what a peer is going to do with a stream.
type plan struct {
	kind  kind
	open  *protocol.Open
	ref   string // for a push
	noise []byte
	pause time.Duration
}

func (c *crowd) newPeer(n int, random *rand.Rand) *scripted {
	c.t.Helper()
	user := []string{"alice", "carol"}[n%2]
	cfg := c.config(user)
	cfg.Resource = fmt.Sprintf("peer%d", n)
	key, _ := peers.KeyOf(cfg.Identity.Public().(ed25519.PublicKey))
	for _, name := range []string{"proj", "other"} {
		c.introduce(key, cfg.Account.String(), c.repos[name].UUID, peers.Write)
	}
	return &scripted{crowd: c, n: n, endpoint: c.endpoint(cfg), random: random}
}

// run plays until the crowd's end. The error says what serve did wrong.
func (p *scripted) run() error {
	defer p.endpoint.Close()
	for time.Now().Before(p.end) {
		conn, offers, err := p.connect()
		if err != nil {
			return fmt.Errorf("peer %d connects: %w", p.n, err)
		}
		if err := p.use(conn, offers); err != nil {
			return fmt.Errorf("peer %d: %w", p.n, err)
		}
	}
	return nil
}

func (p *scripted) connect() (*transport.Conn, *offers, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), deadline)
	defer cancel()
	conn, err := p.endpoint.Dial(ctx, p.bob.JID(), p.bobKey, nil)
	if err != nil {
		return nil, nil, err
	}
	control, err := conn.OpenStream(ctx)
	if err != nil {
		return nil, nil, err
	}
	o := &offers{control, protocol.NewReader(control)}
	m, err := o.ask(&protocol.Hello{Major: protocol.Major})
	if err == nil && m.Type() != protocol.TypeHello {
		err = fmt.Errorf("hello is answered with %+v", m)
	}
	return conn, o, err
}

// offers are what a peer says on its control stream.
type offers struct {
	control *transport.Stream
	replies *protocol.Reader
}

// ask says something and waits for the answer.
func (o *offers) ask(m protocol.Message) (protocol.Message, error) {
	_ = o.control.SetDeadline(time.Now().Add(crowdAnswer))
	if err := protocol.Write(o.control, m); err != nil {
		return nil, err
	}
	return o.replies.Next()
}

// offer offers a push of what is there, or of what isn't. The answer doesn't wait for any turn.
func (p *scripted) offer(o *offers) error {
	open := p.plan().open
	tip, want := make([]byte, 20), protocol.TypePushRequest
	if p.random.IntN(2) == 0 {
		tip, want = p.id, protocol.TypeNothingNeeded
	}
	m, err := o.ask(&protocol.CanPush{From: open.Client, To: p.repos["proj"].UUID, Tips: [][]byte{tip}})
	if err == nil && m.Type() != want {
		err = fmt.Errorf("%+v, want type %#02x", m, byte(want))
	}
	p.count("offers")
	return err
}

// use plays some streams on a connection, and closes it: when they have ended, or at some moment.
func (p *scripted) use(conn *transport.Conn, o *offers) error {
	var streams sync.WaitGroup
	places, failed := make(chan struct{}, crowdStreams), make(chan error, 1)
	for range 5 + p.random.IntN(20) {
		if !time.Now().Before(p.end) {
			break
		}
		if err := p.offer(o); err != nil {
			conn.Close(0)
			streams.Wait()
			return fmt.Errorf("offer: %w", err)
		}
		plan := p.plan()
		places <- struct{}{}
		streams.Go(func() {
			defer func() { <-places }()
			err := p.play(conn, plan)
			if err == nil || conn.Context().Err() != nil {
				return // what the connection ended by is looked at below
			}
			select {
			case failed <- fmt.Errorf("%s, %+v: %w", plan.kind, plan.open, err):
			default:
			}
		})
	}
	if p.random.IntN(2) == 0 {
		p.count("closed in the middle")
		conn.Close(0)
		streams.Wait()
		return nil
	}
	streams.Wait()
	if err := context.Cause(conn.Context()); err != nil {
		return conn.Explain(err)
	}
	conn.Close(0)
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (p *scripted) plan() plan {
	at, sum := 0, 0
	for _, w := range crowdWeights {
		sum += w
	}
	for n := p.random.IntN(sum); n >= crowdWeights[at]; at++ {
		n -= crowdWeights[at]
	}
	p.pushes++
	noise := [][]byte{[]byte("\x04\x00\x00\x03\xa1\x01\x02"), []byte("\x02\x00\x00\x01\x80"), []byte("\x07\xff\xff\xff"), []byte("\x7f\xff\xff\xff"), []byte("GET / HTTP/1.1\r\n\r\n")}
	return plan{
		kind: kind(at),
		open: &protocol.Open{
			Service:    []protocol.Service{protocol.ReceivePack, protocol.UploadPack}[p.random.IntN(2)],
			Repository: []string{"proj", "other"}[p.random.IntN(2)],
			Client:     fmt.Sprintf("0b6ff9d2-3a58-4f41-8a25-8f6f6c1a%02d%02d", p.n, p.random.IntN(3)),
		},
		ref:   fmt.Sprintf("refs/heads/p%d-%d", p.n, p.pushes),
		noise: noise[p.random.IntN(len(noise))],
		pause: time.Duration(p.random.IntN(500)) * time.Millisecond,
	}
}
