package transport

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/xmppserver"
	"mellium.im/xmpp/jid"
)

// startEmbedded runs the embedded server and returns what makes configurations for its accounts.
func startEmbedded(t testing.TB) func(user string) Config {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	server, err := xmppserver.Listen(ctx, xmppserver.Config{Addr: "127.0.0.1:0", Accounts: map[string]string{"alice": "a", "bob": "b", "carol": "c"}, Subscriptions: [][2]string{}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(server.CertificatePEM())
	return func(user string) Config {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return Config{
			Account: jid.MustParse(user + "@localhost"), Password: user[:1], Resource: "git-" + user, Server: server.Addr().String(),
			RootCAs: pool, Identity: key, Software: "git-remote-xmpp", Version: "1", Status: "serving", Timeout: time.Minute,
		}
	}
}

func startEndpoint(t testing.TB, cfg Config) *Endpoint {
	t.Helper()
	e, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// condition asks and returns the condition of the error, or "" for a result.
func condition(t *testing.T, e *Endpoint, to, payload string) string {
	t.Helper()
	answer := make(chan string, 1)
	e.session.ask(to, payload, func(err *stanzaError) {
		if err == nil {
			answer <- ""
		} else {
			answer <- err.condition()
		}
	})
	select {
	case c := <-answer:
		return c
	case <-time.After(30 * time.Second):
		t.Fatalf("no answer to %s", payload)
		return ""
	}
}

// Known peers get answers, strangers what a server says when nobody is there.
func TestRequests(t *testing.T) {
	config := startEmbedded(t)
	b := config("bob")
	b.Serve, b.Admit = true, jid.MustParse("alice@localhost").Equal
	bob := startEndpoint(t, b)
	alice, carol := startEndpoint(t, config("alice")), startEndpoint(t, config("carol"))
	for payload, known := range map[string]string{
		"<ping xmlns='urn:xmpp:ping'/>":                          "",
		"<query xmlns='jabber:iq:version'/>":                     "",
		"<query xmlns='http://jabber.org/protocol/disco#info'/>": "",
		"<knock xmlns='" + NS + "'/>":                            "",
		"<knock xmlns='" + NS + "' tag='x'/>":                    "bad-request",
		"<query xmlns='jabber:iq:roster'/>":                      "service-unavailable",
		"<x xmlns='" + NS + "'><knock xmlns='" + NS + "'/></x>":  "service-unavailable",
	} {
		if got := condition(t, alice, bob.JID().String(), payload); got != known {
			t.Errorf("alice asks %s: %q, want %q", payload, got, known)
		}
		want := "service-unavailable"
		if strings.Contains(payload, "tag='x'") {
			want = "bad-request"
		}
		if got := condition(t, carol, bob.JID().String(), payload); got != want {
			t.Errorf("carol asks %s: %q, want %q", payload, got, want)
		}
	}
}

// The verification string of XEP-0115 is that of what disco#info answers.
func TestCapsGoWithDisco(t *testing.T) {
	cfg := &Config{Software: "git-remote-xmpp"}
	payload, err := discoPayload(cfg, "node")
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Node     string `xml:"node,attr"`
		Identity []struct {
			Category string `xml:"category,attr"`
			Type     string `xml:"type,attr"`
			Name     string `xml:"name,attr"`
		} `xml:"http://jabber.org/protocol/disco#info identity"`
		Features []struct {
			Var string `xml:"var,attr"`
		} `xml:"http://jabber.org/protocol/disco#info feature"`
	}
	if err := xml.Unmarshal([]byte(payload), &info); err != nil {
		t.Fatal(err)
	}
	if len(info.Identity) != 1 || info.Identity[0].Category != "client" || info.Identity[0].Type != "bot" || info.Node != "node" {
		t.Errorf("%s", payload)
	}
	previous := ""
	for _, f := range info.Features {
		if f.Var <= previous {
			t.Errorf("features aren't sorted: %s after %s", f.Var, previous)
		}
		previous = f.Var
	}
	if !strings.Contains(payload, NS) {
		t.Errorf("without our feature: %s", payload)
	}
	var caps struct {
		Ver string `xml:"ver,attr"`
	}
	if err := xml.Unmarshal([]byte(capsElement(cfg)), &caps); err != nil || len(caps.Ver) != 28 {
		t.Errorf("%q, %v", caps.Ver, err)
	}
}
