package transport

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"gosrc.io/xmpp/stanza"
)

const (
	nsCarbons = "urn:xmpp:carbons:2"
	nsArchive = "urn:xmpp:mam:2"

	// What a measurement of the rate sends: stanzas as large as ours usually are, in rounds. Who is slow isn't burdened with the larger ones.
	probeBytes = recordBytes
	// enoughWait is how long a round may take for there to be another one.
	enoughWait = time.Second
)

// probeRounds are how many stanzas go in each round: 32 KiB in all.
var probeRounds = []int{1, 2, 5}

// A Rate is what went through our server.
type Rate struct {
	BytesPerSecond int
	// AtLeast is that it may be more: it was done too soon to tell the rate from the round trip.
	AtLeast bool
}

// MeasureRate sends a little to ourselves through our server and waits until all is back.
func (e *Endpoint) MeasureRate(ctx context.Context) (rate Rate, err error) {
	self := e.JID().String()
	filler := "<ping xmlns='urn:xmpp:ping'><p xmlns='" + NS + "'>" // no server's business: it goes to a full JID
	end := "</p></ping>"
	filler += strings.Repeat("A", probeBytes-len(marshalIQ("get", "q0000", self, filler+end))) + end
	for _, n := range probeRounds {
		began := time.Now()
		if err := e.echo(ctx, n, self, filler); err != nil {
			if rate.BytesPerSecond > 0 { // that of the round before
				return rate, nil
			}
			return rate, err
		}
		took := time.Since(began)
		rate = Rate{BytesPerSecond: int(float64(n*probeBytes) / took.Seconds()), AtLeast: took < enoughWait/4}
		if took > enoughWait {
			break
		}
	}
	return rate, nil
}

// echo sends so many stanzas to ourselves at once, and waits for the answers.
func (e *Endpoint) echo(ctx context.Context, n int, self, payload string) error {
	group, ctx := errgroup.WithContext(ctx)
	for range n {
		group.Go(func() error {
			_, err := e.session.query(ctx, "get", self, payload)
			return err
		})
	}
	return group.Wait()
}

// Features are those that our server has by its own word (XEP-0030), for itself and for our account.
func (e *Endpoint) Features(ctx context.Context) (map[string]bool, error) {
	found := make(map[string]bool)
	for _, of := range []string{e.cfg.Account.Domain().String(), e.cfg.Account.String()} {
		q, err := e.session.query(ctx, "get", of, "<query xmlns='"+stanza.NSDiscoInfo+"'/>")
		if err != nil {
			return nil, err
		}
		if q.Disco == nil {
			continue
		}
		for _, f := range q.Disco.Features {
			found[f.Var] = true
		}
	}
	return found, nil
}

// Copied tells whether another login of our account, which wants copies of messages (XEP-0280), gets one of a message as those are that carry packets.
func (e *Endpoint) Copied(ctx context.Context, other *Endpoint) (bool, error) {
	if _, err := other.session.query(ctx, "set", "", "<enable xmlns='"+nsCarbons+"'/>"); err != nil {
		return false, err
	}
	before := other.session.copies.Load()
	if err := e.sendSample(); err != nil {
		return false, err
	}
	// Stanzas of one session stay in order: what comes of the message is there before this one.
	if _, err := e.session.query(ctx, "get", other.JID().String(), pingPayload); err != nil {
		return false, err
	}
	return other.session.copies.Load() > before, nil
}

// Archived tells whether our account's archive (XEP-0313) gets a message as those are that carry packets.
func (e *Endpoint) Archived(ctx context.Context) (bool, error) {
	before, err := e.lastArchived(ctx)
	if err == nil {
		err = e.sendSample()
	}
	if err != nil {
		return false, err
	}
	if _, err := e.session.query(ctx, "get", e.JID().String(), pingPayload); err != nil {
		return false, err
	}
	after, err := e.lastArchived(ctx)
	return after != before, err
}

// sendSample sends ourselves a message as those are that carry packets: we take none of ourselves.
func (e *Endpoint) sendSample() error {
	self := newPeer(e.JID())
	message := appendPayload(self.appendOpen(nil), []byte("sample"))
	return e.session.out.send(append(message, messageClose...))
}

// lastArchived is the id of the latest message from us to ourselves in the archive; empty if there is none.
func (e *Endpoint) lastArchived(ctx context.Context) (string, error) {
	e.session.archived.Store(nil)
	_, err := e.session.query(ctx, "set", "", "<query xmlns='"+nsArchive+"'><x xmlns='jabber:x:data' type='submit'>"+
		"<field var='FORM_TYPE' type='hidden'><value>"+nsArchive+"</value></field><field var='with'><value>"+escape(e.cfg.Account.String())+"</value></field></x>"+
		"<set xmlns='http://jabber.org/protocol/rsm'><max>1</max><before/></set></query>")
	if id := e.session.archived.Load(); err == nil && id != nil { // it comes before the answer
		return *id, nil
	}
	return "", err
}
