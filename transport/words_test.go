package transport_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/transport"
)

// streamErrorOf is a stream error with which a server closes.
func streamErrorOf(condition, content string) string {
	return "<stream:error><" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-streams'>" + content + "</" + condition + ">" +
		"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>so\x7f it is</text></stream:error></stream:stream>"
}

// What a server says instead of letting us in is told in words, with the kind that the exit status comes from, and it is tried again only where that may help.
func TestRefusedLogins(t *testing.T) {
	stages := map[string]func(c *talk, last string) bool{
		"header": func(c *talk, last string) bool { return c.await(">") && c.say(header+last) },
		"TLS":    func(c *talk, last string) bool { return c.secure() && c.await("<stream:stream") && c.say(header+last) },
		"SASL": func(c *talk, last string) bool {
			return c.secure() && c.await("<stream:stream") && c.say(header+mechanismsOf("PLAIN")) && c.await("</auth>") && c.say(last)
		},
		"bind": func(c *talk, last string) bool {
			return c.secure() && c.await("<stream:stream") && c.say(header+mechanismsOf("PLAIN")) && c.await("</auth>") && c.say(success) &&
				c.await("<stream:stream") && c.say(header+bind) && c.await("</iq>") && c.say(last)
		},
	}
	failure := func(condition string) string {
		return "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><" + condition + "/><text>x</text></failure>"
	}
	bindError := func(condition string) string {
		return "<iq type='error' id='bind'><error type='cancel'><" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
	}
	for _, c := range []struct {
		stage, says, want string
		kind              error
		tries             int
	}{
		{"header", streamErrorOf("host-unknown", ""), "the server closed the stream: host-unknown (so  it is): it doesn't serve this domain: check xmpp.account and xmpp.server", transport.ErrServer, 1},
		{"TLS", streamErrorOf("host-unknown", ""), "host-unknown (so  it is): it doesn't serve this domain", transport.ErrServer, 1},
		{"TLS", streamErrorOf("host-gone", ""), "host-gone (so  it is): it doesn't serve this domain any more", transport.ErrServer, 1},
		{"header", streamErrorOf("resource-constraint", ""), "resource-constraint (so  it is): the server is short of something", transport.ErrServer, 1},
		{"bind", streamErrorOf("conflict", ""), "conflict (so  it is): another program logged in with our resource", transport.ErrServer, 1},
		{"TLS", streamErrorOf("system-shutdown", ""), "system-shutdown (so  it is): the server is shutting down: try again later", transport.ErrServer, 1},
		{"SASL", streamErrorOf("policy-violation", ""), "policy-violation (so  it is): it is against a rule of the server", transport.ErrServer, 2},
		{"SASL", streamErrorOf("not-authorized", ""), "not-authorized (so  it is): the account may have been changed or removed", transport.ErrServer, 2},
		{"TLS", streamErrorOf("internal-server-error", ""), "internal-server-error (so  it is): the server has a fault", transport.ErrServer, 2},
		{"TLS", streamErrorOf("x"+strings.Repeat("y", 1000), ""), "the server closed the stream: xyyyy", transport.ErrServer, 2},
		{"TLS", streamErrorOf("see-other-host", "not a host"), "the server closed the stream: see-other-host", transport.ErrServer, 1},
		{"SASL", failure("not-authorized"), "wrong password or no such account (not-authorized): check with git credential", transport.ErrPassword, 1},
		{"SASL", failure("account-disabled"), "the account is disabled (account-disabled): ask the server's operator", transport.ErrServer, 1},
		{"SASL", failure("credentials-expired"), "the password has expired (credentials-expired): set a new one", transport.ErrServer, 1},
		{"SASL", failure("temporary-auth-failure"), "can't check passwords now (temporary-auth-failure): try again later", transport.ErrServer, 1},
		{"SASL", failure("malformed-request"), "authentication failed: malformed-request", transport.ErrServer, 1},
		{"bind", bindError("conflict"), "the server binds no resource: conflict", transport.ErrServer, 2},
		{"bind", bindError("resource-constraint"), "the server binds no resource: resource-constraint", transport.ErrServer, 2},
		{"bind", bindError("not-allowed"), "the server binds no resource: not-allowed", transport.ErrServer, 2},
		{"bind", strings.Replace(bound, "alice@", "mallory@", 1), `the server bound us to "mallory@localhost/git-a"`, transport.ErrServer, 2},
		{"header", "<html>", "", transport.ErrServer, 2},
		{"TLS", "<a></b>", "expected element type <features> but have <a>", transport.ErrServer, 2},
	} {
		t.Run(c.stage+" "+c.want[:min(len(c.want), 60)], func(t *testing.T) {
			t.Parallel()
			f := newFake(t, goodCert(t), func(talk *talk) {
				if stages[c.stage](talk, c.says) {
					ask(talk)
				}
			})
			_, err := transport.Start(t.Context(), f.config(t))
			if !errors.Is(err, c.kind) || !errors.Is(err, transport.ErrServer) || errors.Is(err, transport.ErrPassword) != (c.kind == transport.ErrPassword) {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "log in ") || len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\n\x7f\x1b") {
				t.Errorf("%q, want %q", err, c.want)
			}
			if _, _, came := f.told(); came != c.tries {
				t.Errorf("tried %d times, want %d", came, c.tries)
			}
		})
	}
}

// awaitConnection waits until so many connections have come.
func (f *fake) awaitConnection(t *testing.T, number int) {
	t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(5 * time.Millisecond) {
		if _, _, came := f.told(); came >= number {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("connection %d doesn't come", number)
		}
	}
}

// A server that ends a session is come back to, after a wait that fits what it said; only who took our resource away is left with it, unless we serve.
func TestEndedSessions(t *testing.T) {
	const between = 4 * time.Second // a quarter of a second, and ten, of which jitter leaves five at the least
	const soon, later = time.Second, 10 * time.Second
	for condition, wait := range map[string]time.Duration{
		"system-shutdown": soon, "not-authorized": soon, "internal-server-error": soon, "reset": soon, "undefined-condition": soon,
		"policy-violation": soon, "resource-constraint": later, "host-unknown": later, "conflict": 0,
	} {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, goodCert(t), func(c *talk) {
				if c.login() && c.number == 1 {
					c.say(streamErrorOf(condition, ""))
				}
				ask(c)
			})
			began := time.Now()
			e := start(t, f.config(t))
			if wait == 0 {
				_, err := e.Accept(t.Context())
				if !errors.Is(err, transport.ErrServer) || !strings.Contains(err.Error(), "alice@localhost: another program took our place on the server (conflict)") {
					t.Errorf("%v", err)
				}
				return
			}
			f.awaitConnection(t, 2)
			if took := time.Since(began); (wait > between) != (took > between) {
				t.Errorf("it came back after %v", took)
			}
			if e.Err() != nil {
				t.Error(e.Err())
			}
		})
	}
}

// What serves stays when another program has taken its resource, and doesn't fight for it.
func TestConflictOfServer(t *testing.T) {
	f := newFake(t, goodCert(t), func(c *talk) {
		if c.login() {
			c.say(streamErrorOf("conflict", ""))
		}
		ask(c)
	})
	cfg := f.config(t)
	log := newJournal(&cfg)
	cfg.Serve = true
	e := start(t, cfg)
	log.await(t, "another program logged in with our resource")
	time.Sleep(time.Second) // nothing is to happen for half a minute
	if _, _, came := f.told(); came != 1 || e.Err() != nil {
		t.Errorf("%d connections, %v", came, e.Err())
	}
}

// A server may name another host, before or in TLS or in the middle of a session: the one there must have a certificate for the account's domain, and gets no
// word without. It isn't followed for ever.
func TestSeeOtherHost(t *testing.T) {
	cert := goodCert(t)
	home := newFake(t, cert, func(c *talk) {
		c.login()
		ask(c)
	})
	there := home.Addr().String()
	for name, script := range map[string]func(*talk){
		"before TLS": func(c *talk) { _ = c.await(">") && c.say(header+streamErrorOf("see-other-host", there)) },
		"in TLS":     func(c *talk) { _ = c.secure() && c.say(header+streamErrorOf("see-other-host", there)) },
		"in a session": func(c *talk) {
			_ = c.login() && c.say(streamErrorOf("see-other-host", there))
			ask(c)
		},
	} {
		_, _, before := home.told()
		f := newFake(t, cert, script)
		start(t, f.config(t))
		home.awaitConnection(t, before+1)
		if _, _, came := f.told(); came != 1 {
			t.Errorf("%s: %d connections", name, came)
		}
	}

	t.Run("impostor", func(t *testing.T) {
		thief := newFake(t, goodCert(t), impostor)
		f := newFake(t, cert, func(c *talk) { _ = c.secure() && c.say(header+streamErrorOf("see-other-host", thief.Addr().String())) })
		_, err := transport.Start(t.Context(), f.config(t))
		if !errors.Is(err, transport.ErrServer) || !strings.Contains(err.Error(), "isn't signed by an authority that we trust") {
			t.Error(err)
		}
		checkSilence(t, thief, "alice", fakePassword)
	})
	t.Run("circle", func(t *testing.T) {
		var circle *fake
		circle = newFake(t, cert, func(c *talk) {
			_ = c.await(">") && c.say(header+streamErrorOf("see-other-host", circle.Addr().String()))
		})
		_, err := transport.Start(t.Context(), circle.config(t))
		if _, _, came := circle.told(); !errors.Is(err, transport.ErrServer) || !strings.Contains(err.Error(), "more than 3 times (see-other-host)") || came != 4 {
			t.Errorf("%d connections: %v", came, err)
		}
	})
}
