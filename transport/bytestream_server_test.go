package transport

import (
	"context"
	"crypto/sha1"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mellium.im/xmpp/jid"
)

// An answering server has a script that answers questions; "" is no answer. It notes what it was asked.
type answering struct {
	script func(to, payload string) string
	mu     sync.Mutex
	asked  []string
}

var askedText = regexp.MustCompile(`(?s)^<iq type='(get|set)' id='([^']*)' to='([^']*)'>(.*?)</iq>`)

// endpointOf is an endpoint that is logged in at such a server.
func endpointOf(t *testing.T, a *answering) *Endpoint {
	t.Helper()
	self := jid.MustParse("alice@localhost/git-a")
	cfg := Config{Account: self.Bare(), Log: slog.New(slog.DiscardHandler)}
	s := &session{cfg: &cfg, out: newOutbox(), asked: map[string]*question{}}
	s.self.Store(&self)
	s.out.link(true)
	ctx, cancel := context.WithCancel(t.Context())
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for text := ""; ctx.Err() == nil; {
			text += string(s.out.take(ctx, nil))
			for q := askedText.FindStringSubmatch(text); q != nil; q = askedText.FindStringSubmatch(text) {
				text = text[len(q[0]):]
				a.answer(t, s, q[2], q[3], q[4])
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		tasks.Wait()
	})
	return &Endpoint{cfg: cfg, session: s, proxies: proxies{turn: make(chan struct{}, 1)}}
}

func (a *answering) answer(t *testing.T, s *session, id, to, payload string) {
	a.mu.Lock()
	a.asked = append(a.asked, to)
	a.mu.Unlock()
	text := a.script(to, payload)
	if text == "" {
		return
	}
	kind := "result"
	if strings.HasPrefix(text, "<error") {
		kind = "error"
	}
	var q iq
	if err := xml.Unmarshal([]byte(fmt.Sprintf("<iq xmlns='jabber:client' type='%s' id='%s' from='%s'>%s</iq>", kind, id, to, text)), &q); err != nil {
		t.Error(err)
	}
	s.answered(&q, q.Error)
}

const (
	isProxy  = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='proxy' type='bytestreams'/></query>"
	isOther  = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='proxy' type='other'/><identity category='conference' type='bytestreams'/></query>"
	goodHost = "<streamhost jid='proxy.localhost' host='proxy.example.org' port='5000'/>"
)

func itemsOf(jids ...string) string {
	text := "<query xmlns='" + nsDiscoItems + "'>"
	for _, j := range jids {
		text += "<item jid='" + j + "'/>"
	}
	return text + "</query>"
}

// Of what a server says only what makes sense is used, and not too much is asked.
func TestFindProxy(t *testing.T) {
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("s%d.localhost", i)
	}
	for name, c := range map[string]struct {
		items string
		info  string
		hosts string // nothing: it doesn't answer
		want  string
	}{
		"a proxy":             {itemsOf("proxy.localhost"), isProxy, goodHost, "proxy.example.org:5000"},
		"the second address":  {itemsOf("proxy.localhost"), isProxy, "<streamhost host='' port='1'/><streamhost host='a&#10;b' port='1'/><streamhost host='a' port='0'/><streamhost host='a' port='65536'/><streamhost host='a'/>" + goodHost, "proxy.example.org:5000"},
		"too many addresses":  {itemsOf("proxy.localhost"), isProxy, strings.Repeat("<streamhost host='a' port='0'/>", maxStreamHosts) + goodHost, ""},
		"something else":      {itemsOf("rooms.localhost"), isOther, goodHost, ""},
		"too many services":   {itemsOf(many...), isOther, "", ""},
		"services of no name": {itemsOf("", "@", "a b", "/"), isProxy, goodHost, ""},
		"it refuses to say":   {itemsOf("proxy.localhost"), unavailable, goodHost, ""},
		"it has no address":   {itemsOf("proxy.localhost"), isProxy, unavailable, ""},
		"no services":         {unavailable, "", "", ""},
		"another answer":      {"<ping xmlns='urn:xmpp:ping'/>", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answering{script: func(to, payload string) string {
				switch {
				case to == "localhost":
					return c.items
				case strings.Contains(payload, "disco#info"):
					return c.info
				case strings.HasPrefix(c.hosts, "<error"):
					return c.hosts
				}
				return "<query xmlns='" + nsBytestreams + "'>" + c.hosts + "</query>"
			}}
			e := endpointOf(t, a)
			for range 2 { // it remembers
				p, err := e.newStream(t.Context(), newPeer(jid.MustParse("bob@localhost/git-b")))
				switch {
				case c.want == "" && !errors.Is(err, errNoProxy):
					t.Errorf("%+v, %v", p, err)
				case c.want != "" && (err != nil || fmt.Sprintf("%s:%d", p.Host, p.Port) != c.want):
					t.Errorf("%+v, %v, want %s", p, err, c.want)
				}
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if len(a.asked) > 1+maxItems {
				t.Errorf("%d questions", len(a.asked))
			}
		})
	}
}

// A server that doesn't answer is waited for only so long, and asked again.
func TestFindProxySilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answering{script: func(string, string) string { return "" }}
		e := endpointOf(t, a)
		for n := 1; n <= 2; n++ {
			begin := time.Now()
			if _, err := e.newStream(t.Context(), newPeer(jid.MustParse("bob@localhost/git-b"))); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != proxyWithin {
				t.Errorf("%v after %v", err, time.Since(begin))
			}
			synctest.Wait()
			a.mu.Lock()
			asked := len(a.asked)
			a.mu.Unlock()
			if asked != n || len(e.session.asked) != 0 {
				t.Errorf("%d questions, %d are still waited for", asked, len(e.session.asked))
			}
		}
	})
}

// The stream is called by what the proxy makes of the stream ID and the two addresses, and activated for both.
func TestActivate(t *testing.T) {
	var sid, activated string // what came before an answer was written before it
	a := &answering{script: func(to, payload string) string {
		switch {
		case to == "localhost":
			return itemsOf("proxy.localhost")
		case strings.Contains(payload, "disco#info"):
			return isProxy
		case strings.Contains(payload, "<activate>"):
			found := regexp.MustCompile(`sid='([^']+)'><activate>([^<]+)</activate>`).FindStringSubmatch(payload)
			if sid, activated = found[1], found[2]; activated == "bob@localhost/refused" {
				return unavailable
			}
			return "<x/>"
		}
		return "<query xmlns='" + nsBytestreams + "'>" + goodHost + "</query>"
	}}
	e := endpointOf(t, a)
	p, err := e.newStream(t.Context(), newPeer(jid.MustParse("bob@localhost/git-b")))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Activate(t.Context()); err != nil || activated != "bob@localhost/git-b" {
		t.Errorf("%s: %v", activated, err)
	}
	if want := sha1.Sum([]byte(sid + "alice@localhost/git-a" + "bob@localhost/git-b")); p.Name != want || len(sid) < 20 {
		t.Errorf("called %x, want %x of %q", p.Name, want, sid)
	}
	if p, err = e.newStream(t.Context(), newPeer(jid.MustParse("bob@localhost/refused"))); err != nil {
		t.Fatal(err)
	}
	if err := p.Activate(t.Context()); err == nil || !strings.Contains(err.Error(), "service-unavailable") {
		t.Errorf("refused: %v", err)
	}
}
