package transport_test

import (
	"errors"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
)

const (
	bind2 = "<bind xmlns='urn:xmpp:bind:0'/>"
	fast  = "<fast xmlns='urn:xmpp:fast:0'><mechanism>HT-SHA-256-NONE</mechanism></fast>"

	// features is what a server offers after a login by SASL2.
	features = "<stream:features><limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes></limits></stream:features>"
)

// sasl2Of is the offer of mechanisms by SASL2, with what may be had in the same step.
func sasl2Of(inline string, names ...string) string {
	return "<stream:features><authentication xmlns='urn:xmpp:sasl:2'><mechanism>" + strings.Join(names, "</mechanism><mechanism>") + "</mechanism><inline>" + inline +
		"</inline></authentication></stream:features>"
}

// success2 is the end of a login by SASL2.
func success2(self, more string) string {
	return "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>" + self + "</authorization-identifier>" + more + "</success>"
}

// answers plays a server that offers some features and answers a request by SASL2.
func answers(c *talk, offer, answer string) bool {
	return c.secure() && c.await("<stream:stream") && c.say(header+offer) && c.await("</authenticate>") && c.say(answer)
}

// untilBye listens until the client says goodbye, or goes.
func untilBye(c *talk) { c.await("type='unavailable'") }

// Whatever a server answers to a login by SASL2, one that isn't as it should be is refused in words, and what could be done without is left.
func TestSASL2Answers(t *testing.T) {
	const bare = "alice@localhost"
	for name, c := range map[string]struct {
		mechanism, answer string
		want              string // the error; empty: logged in
		kind              error
	}{
		"bound":                      {answer: success2(bare+"/git-a~1", boundA) + features},
		"bound by itself":            {answer: success2(bare, "") + features},
		"bind failed":                {answer: success2(bare, "<failed xmlns='urn:xmpp:bind:0'/>") + features},
		"somebody else":              {answer: success2("bob@localhost", ""), want: `logged us in as "bob@localhost"`},
		"somebody else's resource":   {answer: success2("bob@localhost/git-a", boundA), want: `bound us to "bob@localhost/git-a"`},
		"bound to nothing":           {answer: success2(bare, boundA), want: `bound us to "alice@localhost"`},
		"nobody":                     {answer: "<success xmlns='urn:xmpp:sasl:2'/>", want: `logged us in as ""`},
		"not a JID":                  {answer: success2("@/", ""), want: `logged us in as "@/"`},
		"success of another profile": {answer: success, want: "unexpected <success>"},
		"success of no namespace":    {answer: "<success/>", want: "unexpected <success>"},
		"something else":             {answer: "<proceed xmlns='urn:xmpp:sasl:2'/>", want: "unexpected <proceed>"},
		"second factor":              {answer: "<continue xmlns='urn:xmpp:sasl:2'><tasks><task>TOTP</task></tasks></continue>", want: "wants more than the password"},
		"challenge for PLAIN":        {answer: "<challenge xmlns='urn:xmpp:sasl:2'>QQ==</challenge>", want: "failed to authenticate itself"},
		"not base64":                 {answer: success2(bare, "<additional-data>!</additional-data>"), want: "illegal base64"},
		"wrong password": {
			answer: "<failure xmlns='urn:xmpp:sasl:2'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>", want: "wrong password", kind: transport.ErrPassword,
		},
		"disabled": {answer: "<failure xmlns='urn:xmpp:sasl:2'><text>x</text><account-disabled xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>", want: "the account is disabled"},
		"no proof": {mechanism: "SCRAM-SHA-256", answer: success2(bare, "") + features, want: "malformed"},
		"offer changed": {
			mechanism: "SCRAM-SHA-256", answer: "<challenge xmlns='urn:xmpp:sasl:2'>" + encode("r=x,s=QQ==,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=") + "</challenge>",
			want: "changed on the way", kind: transport.ErrDowngrade,
		},
		"no features":  {answer: success2(bare, "") + bound, want: "expected element type <features>"},
		"stream error": {answer: "<stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", want: "doesn't serve this domain any more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mechanism := "PLAIN"
			if c.mechanism != "" {
				mechanism = c.mechanism
			}
			f := newFake(t, goodCert(t), func(talk *talk) {
				_ = answers(talk, sasl2Of(bind2, mechanism), c.answer) && (strings.Contains(c.answer, boundA) || talk.await("</iq>") && talk.say(bound))
				untilBye(talk)
			})
			cfg := f.config(t)
			cfg.Tokens = &purse{}
			e, err := transport.Start(t.Context(), cfg)
			if err == nil {
				defer e.Close()
			}
			if c.want == "" {
				if err != nil || !strings.HasPrefix(e.JID().String(), "alice@localhost/git-a") {
					t.Errorf("%v", err)
				}
				return
			}
			if !errors.Is(err, transport.ErrServer) || !strings.Contains(err.Error(), c.want) || c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A resource that we didn't ask to be bound isn't ours: what serves has its own.
func TestBind2Unasked(t *testing.T) {
	f := newFake(t, goodCert(t), func(c *talk) {
		answers(c, sasl2Of(bind2, "PLAIN"), success2("alice@localhost/git-b", "<bound xmlns='urn:xmpp:bind:0'/>")+features)
		untilBye(c)
	})
	cfg := f.config(t)
	cfg.Tokens, cfg.Serve = &purse{}, true
	if _, err := transport.Start(t.Context(), cfg); !errors.Is(err, transport.ErrServer) || !strings.Contains(err.Error(), "bound a resource that we didn't ask for") {
		t.Error(err)
	}
	if _, inside, _ := f.told(); strings.Contains(inside, "urn:xmpp:bind:0") {
		t.Errorf("%q", inside)
	}
}

// SASL2 isn't a way around what is remembered: its mechanisms count as others do, and the stronger offer of a server's two is taken.
func TestDowngradeBySASL2(t *testing.T) {
	f := newFake(t, goodCert(t), func(c *talk) { answers(c, sasl2Of(bind2, "PLAIN"), "") })
	cfg := f.config(t)
	cfg.Record, cfg.Tokens = &memory{best: "SCRAM-SHA-1"}, &purse{}
	refused(t, cfg, "SCRAM-SHA-1", "PLAIN")
	if _, inside, _ := f.told(); strings.Contains(inside, "<auth") {
		t.Errorf("%q", inside)
	}
	for offer, want := range map[string]string{
		strings.Replace(sasl2Of("", "PLAIN", "SCRAM-SHA-1"), "</stream:features>", strings.TrimPrefix(mechanismsOf("SCRAM-SHA-256"), "<stream:features>"), 1): "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'",
		strings.Replace(sasl2Of("", "SCRAM-SHA-256"), "</stream:features>", strings.TrimPrefix(mechanismsOf("SCRAM-SHA-256"), "<stream:features>"), 1):        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-256'",
		strings.Replace(sasl2Of("", "X-NEW"), "</stream:features>", strings.TrimPrefix(mechanismsOf("PLAIN"), "<stream:features>"), 1):                        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'",
	} {
		f := newFake(t, goodCert(t), func(c *talk) { _ = c.secure() && c.await("<stream:stream") && c.say(header+offer) && c.await("</auth") })
		_, err := transport.Start(t.Context(), f.config(t))
		if _, inside, _ := f.told(); !errors.Is(err, transport.ErrServer) || !strings.Contains(inside, want) || strings.Count(inside, "<auth") != 2 {
			t.Errorf("%q: %v", inside, err)
		}
	}
}

// Servers without SASL2 are as before, with the id and the tokens at hand.
func TestLoginWithoutSASL2(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		cfg := configFor(t, s, "alice", "git-a")
		tokens := &purse{}
		cfg.Tokens = tokens
		for range 2 {
			e, turns := turnsOf(t, cfg)
			e.Close()
			if turns != loginTurns && turns != loginTurns+1 || e.JID().Resourcepart() != "git-a" {
				t.Errorf("%s in %d turns", e.JID(), turns)
			}
		}
		if token, kept := tokens.has(); token != (transport.Token{}) || kept != 0 {
			t.Errorf("%+v", token)
		}
	})
}
