package transport_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/transport"
)

const secret = "secret-token:fast-Xyz"

// oldToken is one that a purse has from an earlier login.
func oldToken() transport.Token {
	return transport.Token{Mechanism: "HT-SHA-256-NONE", Secret: secret, Expires: time.Now().Add(time.Hour), Bind2: true}
}

// proof is what a side shows of a token.
func proof(side string, binding []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(side))
	mac.Write(binding)
	return string(mac.Sum(nil))
}

// proofOf is that of a token that isn't bound.
func proofOf(side string) string {
	return "<additional-data>" + encode(proof(side, nil)) + "</additional-data>"
}

// newToken is one in a server's answer.
func newToken(attributes string) string { return "<token xmlns='urn:xmpp:fast:0' " + attributes + "/>" }

func fastFailure(condition string) string {
	return "<failure xmlns='urn:xmpp:sasl:2'><" + condition + " xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>"
}

const (
	fresh  = "token='new-token' expiry='2999-01-01T00:00:00Z'"
	boundA = "<bound xmlns='urn:xmpp:bind:0'/>"
)

// What a server answers to a token decides whether it is kept, and whether the password is used in its place; it is used only where the server says that it doesn't
// take the token.
func TestAnswersToToken(t *testing.T) {
	self, offer := "alice@localhost/git-a~1", sasl2Of(bind2+fast, "PLAIN")
	proven := success2(self, boundA+proofOf("Responder")) + features
	for name, c := range map[string]struct {
		offer, answer string // offer: if it isn't the usual one
		best          string // mechanism of earlier logins
		want          string // the error; empty: logged in
		password      bool   // is used
		kept          string // the token's secret in the end
		connections   int
	}{
		"taken":              {answer: proven, kept: secret, connections: 1},
		"rotated":            {answer: success2(self, boundA+proofOf("Responder")+newToken(fresh)) + features, kept: "new-token", connections: 1},
		"rotated to nothing": {answer: success2(self, boundA+proofOf("Responder")+newToken("token='' expiry='2999-01-01T00:00:00Z'")) + features, kept: secret, connections: 1},
		"rotated, expired":   {answer: success2(self, boundA+proofOf("Responder")+newToken("token='x' expiry='2001-01-01T00:00:00Z'")) + features, kept: secret, connections: 1},
		"rotated, for ever":  {answer: success2(self, boundA+proofOf("Responder")+newToken("token='x'")) + features, kept: secret, connections: 1},
		"rotated, too long":  {answer: success2(self, boundA+proofOf("Responder")+newToken("expiry='2999-01-01T00:00:00Z' token='"+strings.Repeat("x", 1025)+"'")) + features, kept: secret, connections: 1},
		"not bound":          {answer: success2("alice@localhost", proofOf("Responder")) + features, kept: secret, connections: 1},
		"no proof":           {answer: success2(self, boundA) + features, want: "didn't prove that it knows its token", kept: secret, connections: 1},
		"our own proof":      {answer: success2(self, boundA+proofOf("Initiator")) + features, want: "didn't prove that it knows its token", kept: secret, connections: 1},
		"no proof, rotated":  {answer: success2(self, boundA+newToken(fresh)) + features, want: "didn't prove that it knows its token", kept: secret, connections: 1},
		"refused":            {answer: fastFailure("not-authorized"), password: true, connections: 2},
		"expired there":      {answer: fastFailure("credentials-expired"), password: true, connections: 2},
		"not now":            {answer: fastFailure("temporary-auth-failure"), want: "try again later", kept: secret, connections: 1},
		"disabled":           {answer: fastFailure("account-disabled"), want: "the account is disabled", kept: secret, connections: 1},
		"wants more":         {answer: "<challenge xmlns='urn:xmpp:sasl:2'>QQ==</challenge>", password: true, kept: secret, connections: 2},
		"second factor":      {answer: "<continue xmlns='urn:xmpp:sasl:2'/>", want: "wants more than the password", kept: secret, connections: 1},
		"unknown to it":      {answer: "<stream:error><unsupported-stanza-type xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", password: true, kept: secret, connections: 3},
		"shutting down":      {answer: "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", want: "shutting down", kept: secret, connections: 1},
		"nonsense":           {answer: "<nonsense/>", password: true, kept: secret, connections: 3},
		"no tokens now":      {offer: sasl2Of(bind2, "PLAIN"), answer: proven, password: true, kept: secret, connections: 2},
		"no SASL2 now":       {offer: mechanismsOf("PLAIN"), answer: proven, password: true, kept: secret, connections: 2},
		"others' tokens now": {offer: sasl2Of(strings.ReplaceAll(fast, "NONE", "EXPR"), "PLAIN"), answer: proven, password: true, kept: secret, connections: 2},
		"refused, and weaker": {
			answer: fastFailure("not-authorized"), best: "SCRAM-SHA-1", want: "by SCRAM-SHA-1 before, now the server leaves us only PLAIN", connections: 2,
		},
		"weaker than before": {answer: proven, best: "SCRAM-SHA-256-PLUS", want: "by SCRAM-SHA-256-PLUS before", kept: secret, connections: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.offer == "" {
				c.offer = offer
			}
			f := newFake(t, goodCert(t), func(talk *talk) { playTokens(talk, c.offer, c.answer) })
			cfg := f.config(t)
			tokens := &purse{token: oldToken()}
			cfg.Tokens, cfg.Record = tokens, &memory{best: c.best}
			e, err := transport.Start(t.Context(), cfg)
			if err == nil {
				e.Close()
			}
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, transport.ErrServer) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			_, inside, came := f.told()
			if used := strings.Contains(inside, encode("\x00alice\x00"+fakePassword)); used != c.password {
				t.Errorf("password used: %v", used)
			}
			if token, _ := tokens.has(); token.Secret != c.kept || strings.Contains(inside, secret) {
				t.Errorf("kept %q, want %q", token.Secret, c.kept)
			}
			if came != c.connections {
				t.Errorf("%d connections, want %d: %q", came, c.connections, inside)
			}
		})
	}
}

// playTokens answers tokens as it is told, and takes whatever password comes.
func playTokens(c *talk, offer, answer string) {
	if !c.secure() || !c.await("<stream:stream") || !c.say(header+offer) || !c.await("mechanism='") {
		return
	}
	switch {
	case strings.HasPrefix(c.unread, "HT-"):
		_ = c.await("</authenticate>") && c.say(answer) && (strings.Contains(answer, boundA) || c.await("</iq>") && c.say(bound))
	case strings.Contains(offer, "urn:xmpp:sasl:2"):
		_ = c.await("</authenticate>") && c.say(success2("alice@localhost", "")+features) && c.await("</iq>") && c.say(bound)
	default:
		_ = c.await("</auth>") && c.say(success) && c.await("<stream:stream") && c.say(header+bind) && c.await("</iq>") && c.say(bound)
	}
	untilBye(c)
}

// A token that has expired isn't shown to anybody.
func TestExpiredToken(t *testing.T) {
	t.Parallel()
	f := newFake(t, goodCert(t), func(c *talk) { playTokens(c, sasl2Of(bind2+fast, "PLAIN"), "") })
	cfg := f.config(t)
	old := oldToken()
	old.Expires = time.Now().Add(-time.Second)
	cfg.Tokens = &purse{token: old}
	start(t, cfg).Close()
	if _, inside, _ := f.told(); strings.Contains(inside, "HT-SHA-256-NONE'>") {
		t.Errorf("%q", inside)
	}
}

// newerPurse has another process keep a token while ours is being refused.
type newerPurse struct{ purse }

func (p *newerPurse) Drop(transport.Token) error {
	newer := oldToken()
	newer.Bind2 = false
	return p.Keep(newer, transport.Token{})
}

// Where another process has got a newer token, that one is used, and no password is needed; one that is refused, too, isn't tried for ever.
func TestNewerToken(t *testing.T) {
	t.Parallel()
	for _, works := range []bool{true, false} {
		f := newFake(t, goodCert(t), func(c *talk) {
			answer := fastFailure("not-authorized")
			if works && c.number == 2 {
				answer = success2("alice@localhost", proofOf("Responder")) + features
			}
			playTokens(c, sasl2Of(bind2+fast, "PLAIN"), answer)
		})
		cfg := f.config(t)
		tokens := &newerPurse{}
		tokens.token = oldToken()
		tokens.token.Secret = "older"
		cfg.Tokens = tokens
		noPassword(&cfg)
		e, err := transport.Start(t.Context(), cfg)
		if err == nil {
			e.Close()
		}
		if works != (err == nil) || !works && (!errors.Is(err, errAsked) || !errors.Is(err, transport.ErrServer) || !strings.Contains(err.Error(), "refuses its token (not-authorized)")) {
			t.Errorf("works %v: %v", works, err)
		}
		if _, _, came := f.told(); came != 2 && works || came != 6 && !works { // transport.maxTokens
			t.Errorf("works %v: %d connections", works, came)
		}
	}
}

// Who is in between learns nothing of a token.
func TestInBetweenWithToken(t *testing.T) {
	for name, p := range ploys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, cfg := p.scene(t)
			cfg.Tokens = &purse{token: oldToken()}
			if _, err := transport.Start(t.Context(), cfg); !errors.Is(err, transport.ErrServer) || !strings.Contains(err.Error(), p.want) {
				t.Errorf("%v, want %q", err, p.want)
			}
			checkSilence(t, f, "alice", secret)
		})
	}
}

// heard is all that has come in TLS.
func (c *talk) heard() string {
	_, inside, _ := c.fake.told()
	return inside
}

// binding is what a fake's connection can be bound to.
func (c *talk) binding(t *testing.T) []byte {
	state := c.Conn.(keeper).Conn.(*tls.Conn).ConnectionState()
	if state.Version < tls.VersionTLS13 {
		return state.TLSUnique
	}
	b, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		t.Error(err)
	}
	return b
}

// A token that is bound to the connection is of no use on another: neither is our proof there, nor the server's here. Which kind of binding is asked for goes with the
// version of TLS, and a token of the other kind isn't shown.
func TestTokenIsBound(t *testing.T) {
	t.Parallel()
	offer := strings.Replace(sasl2Of(bind2+"<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-UNIQ</mechanism><mechanism>HT-SHA-256-NONE</mechanism></fast>", "PLAIN"),
		"</stream:features>", "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/><channel-binding type='tls-unique'/></sasl-channel-binding></stream:features>", 1)
	for version, mechanism := range map[uint16]string{tls.VersionTLS13: "HT-SHA-256-EXPR", tls.VersionTLS12: "HT-SHA-256-UNIQ"} {
		for _, relayed := range []bool{false, true} {
			f := newFake(t, goodCert(t), func(c *talk) {
				if !c.say(header+starttls) || !c.await("/>") || !c.say(proceed) || !c.tls(&tls.Config{MaxVersion: version}) || !c.await("<stream:stream") || !c.say(header+offer) || !c.await("mechanism='") {
					return
				}
				if !strings.HasPrefix(c.unread, "HT-") {
					_ = c.await("</authenticate>") && c.say(success2("alice@localhost/git-a~1", boundA+newToken("token='"+secret+"' expiry='2999-01-01T00:00:00Z'"))+features)
					return
				}
				at := c.binding(t)
				if relayed {
					at = []byte("of another connection")
				}
				if c.await("</authenticate>") && !relayed && !strings.Contains(c.heard(), base64.StdEncoding.EncodeToString([]byte("alice\x00"+proof("Initiator", at)))) {
					t.Errorf("%s: our proof isn't in %q", mechanism, c.heard())
				}
				c.say(success2("alice@localhost/git-a~1", boundA+"<additional-data>"+encode(proof("Responder", at))+"</additional-data>") + features)
				untilBye(c)
			})
			cfg := f.config(t)
			tokens := &purse{}
			cfg.Tokens = tokens
			start(t, cfg).Close()
			if token, _ := tokens.has(); token.Mechanism != mechanism {
				t.Fatalf("asked for %q, want %q", token.Mechanism, mechanism)
			}
			noPassword(&cfg)
			e, err := transport.Start(t.Context(), cfg)
			if err == nil {
				e.Close()
			}
			if relayed != (err != nil) || relayed && !strings.Contains(err.Error(), "didn't prove that it knows its token") {
				t.Errorf("%s, relayed %v: %v", mechanism, relayed, err)
			}
		}
	}
}

// A server that sends us on is followed with the token, too, when it is asked at once and when its features are waited for.
func TestTokenElsewhere(t *testing.T) {
	t.Parallel()
	cert := goodCert(t)
	there := newFake(t, cert, func(c *talk) {
		playTokens(c, sasl2Of(bind2+fast, "PLAIN"), success2("alice@localhost/git-a~1", boundA+proofOf("Responder"))+features)
	})
	for ignored := range 2 {
		here := newFake(t, cert, func(c *talk) {
			answer := "<nonsense/>"
			if c.number > ignored {
				answer = "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>" + there.Addr().String() + "</see-other-host></stream:error>"
			}
			playTokens(c, sasl2Of(bind2+fast, "PLAIN"), answer)
		})
		cfg := here.config(t)
		cfg.Tokens = &purse{token: oldToken()}
		noPassword(&cfg)
		start(t, cfg).Close()
		if _, _, came := here.told(); came != ignored+1 {
			t.Errorf("%d connections, want %d", came, ignored+1)
		}
	}
}
