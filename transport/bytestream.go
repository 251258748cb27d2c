package transport

import (
	"context"
	"crypto/rand"
	"crypto/sha1" // the hash that XEP-0065 requires
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"git-remote-xmpp/transport/direct"
	"gosrc.io/xmpp/stanza"
	"mellium.im/xmpp/jid"
)

const (
	nsDiscoItems  = "http://jabber.org/protocol/disco#items"
	nsBytestreams = "http://jabber.org/protocol/bytestreams"

	// maxItems is how many of a server's services are asked what they are.
	maxItems = 32
	// maxStreamHosts is how many addresses of a proxy's answer are looked at.
	maxStreamHosts = 8

	// proxyWithin is how long our server and its services have to answer.
	proxyWithin = 5 * time.Second
	// proxyFor is how long an answer is good, noProxyFor how long one that there is none.
	proxyFor   = time.Hour
	noProxyFor = 10 * time.Minute
	// activateWithin is how long a proxy has to join two streams.
	activateWithin = 10 * time.Second
)

var errNoProxy = errors.New("our server has no proxy")

// discoItem is one of a server's services (XEP-0030, 4).
type discoItem struct {
	JID  string `xml:"jid,attr"`
	Node string `xml:"node,attr"`
}

// streamHost is an address of a proxy (XEP-0065, 4.2).
type streamHost struct {
	JID  string `xml:"jid,attr"`
	Host string `xml:"host,attr"`
	Port string `xml:"port,attr"`
}

// A proxy is one for bytestreams, of our server.
type proxy struct {
	jid  string
	host string
	port uint16
}

// proxies are what our server has said.
type proxies struct {
	turn  chan struct{} // has room for one, who asks, or looks
	found *proxy        // nil: none
	until time.Time
}

// newStream asks our server's proxy for a stream to a peer.
func (e *Endpoint) newStream(ctx context.Context, p *peer) (*direct.Proxy, error) {
	found, err := e.proxy(ctx)
	if err != nil {
		return nil, err
	}
	sid := rand.Text()
	return &direct.Proxy{
		Host: found.host, Port: found.port, Name: sha1.Sum([]byte(sid + e.JID().String() + p.full)),
		Activate: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, activateWithin)
			defer cancel()
			query := "<query xmlns='" + nsBytestreams + "' sid='" + sid + "'><activate>" + escape(p.full) + "</activate></query>"
			if _, err := e.session.query(ctx, "set", found.jid, query); err != nil {
				return fmt.Errorf("have %s join the streams: %w", found.jid, err)
			}
			return nil
		},
	}, nil
}

// ProxyAddress is where our server's proxy for bytestreams is (XEP-0065), host:port; empty if it has none, or packets aren't to go past it.
func (e *Endpoint) ProxyAddress(ctx context.Context) string {
	if e.cfg.Direct == nil {
		return ""
	}
	found, err := e.proxy(ctx)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(found.host, strconv.Itoa(int(found.port)))
}

// proxy is our server's, of which it was asked not long ago.
func (e *Endpoint) proxy(ctx context.Context) (*proxy, error) {
	v := &e.proxies
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if time.Now().After(v.until) {
		ctx, cancel := context.WithTimeout(ctx, proxyWithin)
		defer cancel()
		found, err := e.findProxy(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask our server for a proxy: %w", err)
		}
		v.found, v.until = found, time.Now().Add(proxyFor)
		if found == nil {
			v.until = time.Now().Add(noProxyFor)
		}
		e.cfg.Log.Debug("proxy for bytestreams", "found", found != nil, "until", v.until)
	}
	if v.found == nil {
		return nil, errNoProxy
	}
	return v.found, nil
}

// findProxy asks our server what services it has, and these what they are (XEP-0065, 4). What a service refuses to say isn't asked again; without an answer there is an error.
func (e *Endpoint) findProxy(ctx context.Context) (*proxy, error) {
	server := e.cfg.Account.Domain().String()
	q, err := e.session.query(ctx, "get", server, "<query xmlns='"+nsDiscoItems+"'/>")
	var refused *stanzaError
	if errors.As(err, &refused) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if q.Items == nil {
		return nil, nil
	}
	items := q.Items.List[:min(len(q.Items.List), maxItems)]
	found := make([]*proxy, len(items))
	var tasks sync.WaitGroup
	for i, item := range items {
		if address, err := jid.Parse(item.JID); err == nil && item.Node == "" {
			tasks.Go(func() { found[i] = e.askProxy(ctx, address.String()) })
		}
	}
	tasks.Wait()
	for _, p := range found {
		if p != nil {
			return p, nil
		}
	}
	return nil, ctx.Err()
}

// askProxy asks a service for its address, if it is a proxy.
func (e *Endpoint) askProxy(ctx context.Context, service string) *proxy {
	q, err := e.session.query(ctx, "get", service, "<query xmlns='"+stanza.NSDiscoInfo+"'/>")
	if err != nil || !q.isProxy() {
		return nil
	}
	if q, err = e.session.query(ctx, "get", service, "<query xmlns='"+nsBytestreams+"'/>"); err != nil || q.Streams == nil {
		return nil
	}
	hosts := q.Streams.Hosts
	for _, h := range hosts[:min(len(hosts), maxStreamHosts)] {
		port, err := strconv.ParseUint(h.Port, 10, 16)
		if err == nil && port != 0 && h.Host != "" && clean(h.Host) == h.Host {
			return &proxy{jid: service, host: h.Host, port: uint16(port)}
		}
	}
	return nil
}

// isProxy tells whether an answer to disco#info is that of a proxy for bytestreams.
func (q *iq) isProxy() bool {
	if q.Disco == nil {
		return false
	}
	for _, i := range q.Disco.Identities {
		if i.Category == "proxy" && i.Type == "bytestreams" {
			return true
		}
	}
	return false
}

// atServer tells whether an address is the one that we are connected to as our server's.
func (e *Endpoint) atServer(addr netip.Addr) bool {
	server := e.session.server.Load()
	return server != nil && *server == addr
}
