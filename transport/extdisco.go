package transport

import (
	"context"
	"strconv"
	"sync"
	"time"

	"git-remote-xmpp/transport/direct"
)

const (
	nsExtDisco = "urn:xmpp:extdisco:2"

	// maxServices is how many services of a server's answer are looked at.
	maxServices = 32
	// maxServiceBytes is the longest text in one.
	maxServiceBytes = 512

	// servicesWithin is how long a try to find a direct path waits for the server's answer.
	servicesWithin = time.Second
	// servicesFor is how long an answer is good that doesn't say it, servicesEarly before its time it isn't any more.
	servicesFor   = time.Hour
	servicesEarly = time.Minute
	// noServicesFor is how long a server isn't asked again that has none.
	noServicesFor = 10 * time.Minute
	// answerWithin is how long an answer is waited for until the server is asked anew: it is lost with a link.
	answerWithin = 30 * time.Second
)

// externalService is a service of XEP-0215.
type externalService struct {
	Type      string `xml:"type,attr"`
	Host      string `xml:"host,attr"`
	Port      string `xml:"port,attr"`
	Transport string `xml:"transport,attr"`
	Username  string `xml:"username,attr"`
	Password  string `xml:"password,attr"`
	Expires   string `xml:"expires,attr"`
}

// services are the STUN and TURN servers that our server has named.
type services struct {
	mu    sync.Mutex
	list  []direct.Server
	until time.Time
	asked chan struct{} // closed by the answer; nil: nothing was asked
}

// lookForServices asks the server, unless it has answered not long ago. It doesn't wait.
func (e *Endpoint) lookForServices() (answered <-chan struct{}) {
	v := &e.services
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Now().Before(v.until) {
		return nil
	}
	if v.asked != nil {
		return v.asked
	}
	answer := make(chan struct{})
	v.asked, v.until = answer, time.Time{}
	forget := time.AfterFunc(answerWithin, func() { v.take(answer, nil, time.Now()) })
	e.session.askFor(e.cfg.Account.Domain().String(), "<services xmlns='"+nsExtDisco+"'/>", func(q *iq, refused *stanzaError) {
		forget.Stop()
		now := time.Now()
		list, until := []direct.Server(nil), now.Add(noServicesFor)
		if refused == nil && q.Services != nil {
			list, until = usable(q.Services.List, now)
		}
		e.cfg.Log.Debug("servers for direct paths", "found", len(list), "until", until)
		v.take(answer, list, until)
	})
	return answer
}

// take notes an answer.
func (v *services) take(answer chan struct{}, list []direct.Server, until time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.asked == answer {
		v.list, v.until, v.asked = list, until, nil
		close(answer)
	}
}

// servers are what a try to find a direct path asks: those of the settings, and of our server, if it answers soon.
func (e *Endpoint) servers(ctx context.Context) []direct.Server {
	timer := time.NewTimer(servicesWithin)
	defer timer.Stop()
	if answered := e.lookForServices(); answered != nil {
		select {
		case <-answered:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	e.services.mu.Lock()
	defer e.services.mu.Unlock()
	return append(append([]direct.Server(nil), e.cfg.Direct.Servers...), e.services.list...)
}

// Services are the STUN and TURN servers that direct paths are found with: those of the settings, and of our server, if it answers soon. There are none without direct paths.
func (e *Endpoint) Services(ctx context.Context) []direct.Server {
	if e.cfg.Direct == nil {
		return nil
	}
	return e.servers(ctx)
}

// usable are the services that we can use, and until when.
func usable(list []externalService, now time.Time) (servers []direct.Server, until time.Time) {
	until = now.Add(servicesFor)
	list = list[:min(len(list), maxServices)]
	for _, s := range list {
		s = s.completed(list)
		server, ok := s.server()
		if !ok {
			continue
		}
		if s.Expires != "" {
			expires, err := time.Parse(time.RFC3339, s.Expires)
			if err != nil || !expires.After(now) {
				continue
			}
			if early := expires.Add(-servicesEarly); early.Before(until) {
				until = early
			}
		}
		servers = append(servers, server)
	}
	if len(servers) == 0 {
		until = now.Add(noServicesFor)
	}
	return servers, until
}

// completed is a TURN service over TLS with the credentials that the same host's other one has, if it has none of its own: Prosody's mod_turn_external leaves them out.
func (s externalService) completed(list []externalService) externalService {
	if s.Type != "turns" || s.Username != "" || s.Password != "" {
		return s
	}
	for _, other := range list {
		if other.Type == "turn" && other.Host == s.Host {
			s.Username, s.Password, s.Expires = other.Username, other.Password, other.Expires
			break
		}
	}
	return s
}

// server checks a service.
func (s externalService) server() (server direct.Server, ok bool) {
	for _, text := range []string{s.Host, s.Username, s.Password} {
		if len(text) > maxServiceBytes || clean(text) != text {
			return server, false
		}
	}
	server = direct.Server{Host: s.Host, Username: s.Username, Password: s.Password, TCP: s.Transport == "tcp", Port: defaultSTUNPort}
	switch s.Type {
	case "stun":
	case "turn":
		server.TURN = true
	case "turns":
		server.TURN, server.TLS, server.TCP, server.Port = true, true, s.Transport != "udp", defaultTURNSPort
	default:
		return server, false
	}
	if s.Port != "" {
		port, err := strconv.ParseUint(s.Port, 10, 16)
		if err != nil || port == 0 {
			return server, false
		}
		server.Port = int(port)
	}
	return server, s.Host != "" && (s.Transport == "" || s.Transport == "udp" || s.Transport == "tcp")
}

const (
	defaultSTUNPort  = 3478
	defaultTURNSPort = 5349
)
