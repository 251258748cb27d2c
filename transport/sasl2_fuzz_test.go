package transport

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

// pocket is Tokens with one token at the most.
type pocket struct{ token Token }

func (*pocket) Client() (string, error) { return "d4565fa7-4d72-4749-b3d3-740edbf87770", nil }
func (p *pocket) Token() (Token, error) { return p.token, nil }
func (p *pocket) Keep(t, _ Token) error { p.token = t; return nil }
func (p *pocket) Drop(Token) error      { p.token = Token{}; return nil }

const (
	fuzzHead  = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
	fuzzOffer = fuzzHead + "<stream:features><authentication xmlns='urn:xmpp:sasl:2'><mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-256</mechanism><inline>" +
		"<bind xmlns='urn:xmpp:bind:0'/><fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-NONE</mechanism></fast></inline></authentication></stream:features>"
	fuzzBound = "<authorization-identifier>alice@localhost/git-a~1</authorization-identifier><bound xmlns='urn:xmpp:bind:0'/>"
	fuzzToken = "<token xmlns='urn:xmpp:fast:0' token='new' expiry='2999-01-01T00:00:00.5+01:00'/>"
)

// fuzzAnswers are what servers say to a login by SASL2.
var fuzzAnswers = []string{
	"<success xmlns='urn:xmpp:sasl:2'>" + fuzzBound + fuzzToken + "</success><stream:features/>",
	"<success xmlns='urn:xmpp:sasl:2'><additional-data>QQ==</additional-data><authorization-identifier>alice@localhost</authorization-identifier></success>",
	"<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>alice@localhost</authorization-identifier></success><stream:features/>" +
		"<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>alice@localhost/git-a</jid></bind></iq>",
	"<challenge xmlns='urn:xmpp:sasl:2'>cj14LHM9UVE9PSxpPTQwOTY=</challenge>", "<continue xmlns='urn:xmpp:sasl:2'><tasks><task>x</task></tasks></continue>",
	"<failure xmlns='urn:xmpp:sasl:2'><credentials-expired xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><text>x\n</text></failure>", "<stream:error/>",
}

// checkWords looks at what the user is told.
func checkWords(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrServer) {
		err = inWords(err)
	}
	if len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Fatalf("%q", err)
	}
}

// Whatever a server says in a login by a token, it ends, and nobody who doesn't know the token is taken for the server. Neither token nor password are said, and where the features
// are waited for, nothing is to a server that doesn't take the token.
func FuzzTokenLogin(f *testing.F) {
	for _, answer := range fuzzAnswers {
		f.Add(fuzzOffer+answer, true)
	}
	f.Add(strings.ReplaceAll(fuzzOffer, "NONE", "EXPR"), false)
	f.Fuzz(func(t *testing.T, text string, hasty bool) {
		cfg := fuzzConfig()
		kept := Token{Mechanism: htNone, Secret: rand.Text(), Bind2: true}
		cfg.Tokens = &pocket{kept}
		conn := &deafConn{in: strings.NewReader(text)}
		l, err := byToken(conn, cfg, tls.ConnectionState{Version: tls.VersionTLS13}, kept, hasty)
		if err == nil {
			t.Fatalf("logged in as %s", l.self)
		}
		checkWords(t, err)
		out := conn.out.String()
		if strings.Contains(out, kept.Secret) || strings.Contains(out, cfg.Password) {
			t.Fatalf("%q", out)
		}
		if asked := strings.Contains(text, htNone) || strings.Contains(text, "&"); !hasty && !asked && strings.Contains(out, "<authenticate") { // it may be written in characters' numbers
			t.Fatalf("%q without being asked", out)
		}
		if now, _ := cfg.Tokens.Token(); now != kept {
			t.Fatalf("%+v", now)
		}
	})
}

// Whatever a server says in a login by SASL2 in which it needn't prove anything, who is logged in is us, and a token that is kept is one.
func FuzzSASL2(f *testing.F) {
	for _, answer := range fuzzAnswers {
		f.Add(strings.Replace(fuzzOffer, "<mechanism>SCRAM-SHA-256</mechanism>", "", 1) + answer)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg, kept := fuzzConfig(), &pocket{}
		cfg.Tokens = kept
		conn := &deafConn{in: strings.NewReader(text)}
		s, offered, err := openStream(conn, cfg.Account, true, "")
		if err != nil {
			return
		}
		second, err := authenticate(s, cfg, tls.ConnectionState{Version: tls.VersionTLS13}, offered)
		if err == nil && second == nil {
			return // without SASL2: FuzzLogin
		}
		var l *link
		if err == nil {
			l, err = second.link(s, cfg)
		}
		if err != nil {
			checkWords(t, err)
			return
		}
		if !l.self.Bare().Equal(cfg.Account) || l.self.Resourcepart() == "" {
			t.Fatalf("logged in as %s", l.self)
		}
		if !strings.Contains(conn.out.String(), base64.StdEncoding.EncodeToString([]byte("\x00alice\x00"+cfg.Password))) {
			t.Fatal("logged in by nothing")
		}
		token := kept.token
		if token == (Token{}) {
			return
		}
		if !strings.HasPrefix(token.Mechanism, "HT-SHA-256-") || token.Secret == "" || len(token.Secret) > maxTokenBytes || !time.Now().Before(token.Expires) || time.Until(token.Expires) > maxTokenLife {
			t.Fatalf("%+v", token)
		}
	})
}
