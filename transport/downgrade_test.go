package transport_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/internal/xmppserver"
	"git-remote-xmpp/transport"
)

// memory is a record that isn't on disk.
type memory struct {
	mu   sync.Mutex
	best string
}

func (m *memory) Strongest() (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.best, nil
}

func (m *memory) Raise(mechanism string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.best = mechanism
	return nil
}

func (m *memory) Remedy() string { return "remove the test's memory" }

// kept expects what a record has.
func (m *memory) kept(t *testing.T, want string) {
	t.Helper()
	if got, _ := m.Strongest(); got != want {
		t.Errorf("kept is %q, want %q", got, want)
	}
}

// refused expects a login to be refused for what the server offers.
func refused(t *testing.T, cfg transport.Config, before string, now ...string) {
	t.Helper()
	e, err := transport.Start(t.Context(), cfg)
	if err == nil {
		e.Close()
	}
	if !errors.Is(err, transport.ErrDowngrade) || !errors.Is(err, transport.ErrServer) {
		t.Fatalf("%v", err)
	}
	for _, part := range slices.Concat(now, []string{"by " + before + " before, now the server leaves us only ", "somebody may be in between", "remove the test's memory"}) {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("without %q: %v", part, err)
		}
	}
}

// embedded runs the embedded server with some mechanisms and returns its address.
func embedded(t *testing.T, f *fake, mechanisms ...string) string {
	t.Helper()
	server, err := xmppserver.Listen(t.Context(), xmppserver.Config{
		Addr: "127.0.0.1:0", Accounts: map[string]string{"alice": fakePassword}, Certificate: &f.cert, Mechanisms: mechanisms,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(t.Context()) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return server.Addr().String()
}

// A server that offers less than before isn't logged in to, whatever it is that is missing; one that offers more raises what is asked for.
func TestDowngrade(t *testing.T) {
	f := newFake(t, goodCert(t), func(*talk) {})
	steps := []string{"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"}
	m := &memory{}
	cfg := f.config(t)
	cfg.Record = m
	var servers []string
	for i := range steps {
		cfg.Server = embedded(t, f, steps[:i+1]...)
		servers = append(servers, cfg.Server)
		start(t, cfg).Close()
		m.kept(t, steps[i])
	}
	for i := range steps[:len(steps)-1] {
		cfg.Server = servers[i]
		refused(t, cfg, "SCRAM-SHA-256-PLUS", steps[:i+1]...)
		m.kept(t, "SCRAM-SHA-256-PLUS")
	}
	m.best = ""
	start(t, cfg).Close()
	m.kept(t, "SCRAM-SHA-1-PLUS")
}

// With a real server, that is set up anew: its users are told, and go on when they have accepted it. Of what Debian's servers offer, SCRAM-SHA-1 is the strongest.
func TestDowngradeOfServer(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		m := &memory{}
		cfg := configFor(t, s, "alice", "git-a")
		cfg.Record = m
		start(t, cfg).Close()
		m.kept(t, "SCRAM-SHA-1")
		other := testserver.New(t, s.Name, testserver.Options{DisableMechanisms: []string{
			"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512", "SCRAM-SHA-512-PLUS",
		}})
		cfg = configFor(t, other, "alice", "git-a")
		cfg.Record = m
		refused(t, cfg, "SCRAM-SHA-1", "PLAIN")
		m.best = ""
		start(t, cfg).Close()
		m.kept(t, "PLAIN")
	})
}

// A journal takes log lines.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{}
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case j.news <- struct{}{}:
	default:
	}
	return j.text.Write(b)
}

// newJournal takes what a configuration's endpoint logs.
func newJournal(cfg *transport.Config) *journal {
	j := &journal{news: make(chan struct{}, 1)}
	cfg.Log = slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return j
}

// await waits until something has been logged.
func (j *journal) await(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(deadline)
	for {
		j.mu.Lock()
		logged := j.text.String()
		j.mu.Unlock()
		if strings.Contains(logged, text) {
			return
		}
		select {
		case <-j.news:
		case <-timeout:
			t.Fatalf("%q isn't logged: %s", text, logged)
		}
	}
}

// On a reconnect, too: what serves says so and waits for the server to be as it was, anybody else gives up.
func TestDowngradeOnReconnect(t *testing.T) {
	f := newFake(t, goodCert(t), func(*talk) {})
	strong, weak := embedded(t, f), embedded(t, f, "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256")
	for _, serve := range []bool{true, false} {
		way := newProxy(t, strong)
		linked := make(chan struct{}, 10)
		cfg := f.config(t)
		cfg.Record, cfg.Server, cfg.Serve = &memory{}, way.Addr().String(), serve
		cfg.Linked = func() { linked <- struct{}{} }
		log := newJournal(&cfg)
		e := start(t, cfg)
		expect(t, linked, struct{}{})
		way.lead(weak)
		if !serve {
			if _, err := e.Accept(t.Context()); !errors.Is(err, transport.ErrDowngrade) {
				t.Errorf("it ended with %v", err)
			}
			continue
		}
		log.await(t, "by SCRAM-SHA-256-PLUS before, now the server leaves us only SCRAM-SHA-256 (it offers SCRAM-SHA-256 SCRAM-SHA-1 PLAIN): somebody may be in between")
		if e.Err() != nil {
			t.Error(e.Err())
		}
		way.lead(strong)
		expect(t, linked, struct{}{})
	}
}

// Whoever has the server's certificate and offers PLAIN alone gets no password from who has used SCRAM before; who takes away only the kind of channel binding
// that was used gets no login either.
func TestDowngradeByOffer(t *testing.T) {
	bindings := "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-server-end-point'/></sasl-channel-binding></stream:features>"
	for before, offer := range map[string]string{
		"SCRAM-SHA-1":        mechanismsOf("PLAIN"),
		"SCRAM-SHA-256":      mechanismsOf("PLAIN", "SCRAM-SHA-1"),
		"SCRAM-SHA-1-PLUS":   mechanismsOf("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"),
		"SCRAM-SHA-256-PLUS": strings.Replace(mechanismsOf("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"), "</stream:features>", bindings, 1),
	} {
		f := newFake(t, goodCert(t), func(c *talk) {
			_ = c.secure() && c.await("<stream:stream") && c.say(header+offer)
			ask(c)
		})
		cfg := f.config(t)
		cfg.Record = &memory{best: before}
		refused(t, cfg, before)
		if _, inside, _ := f.told(); strings.Contains(inside, "<auth") {
			t.Errorf("%q", inside)
		}
	}
}

// SCRAM messages that ask for the impossible, or that say that the offer was another one, end the login at once, before our proof is out.
func TestServerFirst(t *testing.T) {
	for message, want := range map[string]error{
		"r=x,s=QQ==,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=": transport.ErrDowngrade,
		"r=x,s=QQ==,i=1000":       transport.ErrServer,
		"r=x,s=QQ==,i=2000000000": transport.ErrServer,
		"r=x,s=QQ==,i=4096,":      transport.ErrServer,
		"r=x,s=QQ==,i=4096,x":     transport.ErrServer,
		"":                        transport.ErrServer,
		",":                       transport.ErrServer,
		"r=x,s=QQ==,i=4096":       transport.ErrServer, // another nonce
		"r=x,s=QQ==,i=4096,m=1":   transport.ErrServer,
	} {
		f := newFake(t, goodCert(t), func(c *talk) {
			if c.secure() && c.await("<stream:stream") && c.say(header+mechanismsOf("SCRAM-SHA-256")) && c.await("</auth>") {
				c.say("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + encode(message) + "</challenge>")
			}
			ask(c)
		})
		began := time.Now()
		if _, err := transport.Start(t.Context(), f.config(t)); !errors.Is(err, want) || errors.Is(err, transport.ErrPassword) {
			t.Errorf("%q: %v", message, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%q: it took %v", message, took)
		}
		if _, inside, _ := f.told(); strings.Contains(inside, "<response") {
			t.Errorf("%q: %q", message, inside)
		}
	}
}
