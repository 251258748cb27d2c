package testserver

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestTwoAccountsExchangeAMessage(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		ctx := testContext(t)
		begin := time.Now()
		s := startServer(ctx, t, name, Options{})
		t.Logf("%s with %d accounts was up after %v", name, len(s.Accounts), time.Since(begin))
		alice := Login(ctx, t, s, "alice", false)
		bob := Login(ctx, t, s, "bob", true)
		if err := alice.sendBody(ctx, bob.LocalAddr(), overLimit); err != nil {
			t.Fatal(err)
		}
		if got := bob.Receive(ctx, t).Body; got != strings.Repeat("x", overLimit) {
			t.Fatalf("bob got %d bytes: %.100q", len(got), got)
		}
	})
}

func TestAccountsAndDomainAreTheCallers(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		ctx := testContext(t)
		s := startServer(ctx, t, name, Options{Domain: "a.test", Accounts: map[string]string{"dora": `p"w'\ <>&é`}})
		if got, want := Login(ctx, t, s, "dora", true).LocalAddr().Bare().String(), "dora@a.test"; got != want {
			t.Fatalf("logged in as %s, want %s", got, want)
		}
	})
}

func TestRestartKeepsPortsAndAccounts(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		ctx := testContext(t)
		s := startServer(ctx, t, name, Options{})
		before, addr := s.PID(), s.Addr
		if err := s.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		if s.PID() == before || s.PID() == 0 {
			t.Fatalf("process id is %d, was %d", s.PID(), before)
		}
		if s.Addr != addr {
			t.Fatalf("address is %s, was %s", s.Addr, addr)
		}
		Login(ctx, t, s, "carol", false)
	})
}

func TestStopLeavesNothing(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		ctx := testContext(t)
		s := startServer(ctx, t, name, Options{})
		pid := s.PID()
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if s.PID() != 0 {
			t.Error("a stopped server has a process id")
		}
		awaitNoGroup(ctx, t, pid)
		if _, err := os.Stat(s.Dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("folder: %v, want it gone", err)
		}
		if conn, err := net.Dial("tcp", s.Addr); err == nil {
			conn.Close()
			t.Error("somebody still listens")
		}
		if err := s.Stop(); err != nil {
			t.Errorf("stop again: %v", err)
		}
	})
}

// overLimit is refused where 8,192 is the limit, whatever chunks it arrives in.
const overLimit = 20_000

func TestStanzaLimit(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		ctx := testContext(t)
		s := startServer(ctx, t, name, Options{MaxStanzaBytes: 8192})
		alice := Login(ctx, t, s, "alice", false)
		bob := Login(ctx, t, s, "bob", false)
		if err := alice.sendBody(ctx, bob.LocalAddr(), 7900); err != nil {
			t.Fatal(err)
		}
		if got := len(bob.Receive(ctx, t).Body); got != 7900 {
			t.Fatalf("bob got %d bytes, want 7900", got)
		}
		// The refusal may come before all is sent: an error here is no failure.
		sendErr := alice.sendBody(ctx, bob.LocalAddr(), overLimit)
		select {
		case err := <-alice.served:
			t.Logf("refused: %v, %v", sendErr, err)
		case <-ctx.Done():
			t.Fatal("a stanza over the limit was not refused")
		}
		if err := bob.sendBody(ctx, bob.LocalAddr(), 1); err != nil {
			t.Fatal(err)
		}
		if got := bob.Receive(ctx, t).Body; got != "x" {
			t.Fatalf("a stanza over the limit arrived: %d bytes", len(got))
		}
	})
}

// TestRateLimit only asserts that a limited server isn't faster than its limit:
// a slow machine can't fail it.
func TestRateLimit(t *testing.T) {
	const perSecond, burst, count, size = 20_000, 20_000, 15, 4000
	eachServer(t, func(t *testing.T, name string) {
		ctx := testContext(t)
		s := startServer(ctx, t, name, Options{BytesPerSecond: perSecond, BurstBytes: burst})
		alice := Login(ctx, t, s, "alice", false)
		bob := Login(ctx, t, s, "bob", false)
		begin := time.Now()
		for range count {
			if err := alice.sendBody(ctx, bob.LocalAddr(), size); err != nil {
				t.Fatal(err)
			}
			bob.Receive(ctx, t)
		}
		const least = time.Duration(count*size-2*burst) * time.Second / perSecond
		if took := time.Since(begin); took < least/2 {
			t.Fatalf("%d bytes took %v at %d bytes/s, want %v at least", count*size, took, perSecond, least/2)
		}
	})
}

func TestTakenPortIsTriedElsewhere(t *testing.T) {
	recipes := map[string]recipe{Prosody: prosodyRecipe{}, Ejabberd: ejabberdRecipe{}}
	eachServer(t, func(t *testing.T, name string) {
		Require(t, name)
		ctx := testContext(t)
		taken, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		calls := 0
		s, err := start(ctx, name, recipes[name], Options{}, func(host string, n int) ([]int, error) {
			calls++
			ports, err := freePorts(host, n)
			if calls == 1 {
				ports[1] = taken.Addr().(*net.TCPAddr).Port
			}
			return ports, err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Stop()
		if calls != 2 {
			t.Errorf("chose ports %d times, want 2", calls)
		}
		Login(ctx, t, s, "alice", true)
	})
}

// misspelt is a Prosody whose configuration isn't Lua.
type misspelt struct{ prosodyRecipe }

func (misspelt) configure(s *Server, _ []int) error {
	return os.WriteFile(s.prosodyFile(), []byte("VirtualHost = = broken\n"), 0o600)
}

func TestFailureShowsTheLog(t *testing.T) {
	Require(t, Prosody)
	s, err := start(testContext(t), Prosody, misspelt{}, Options{Accounts: map[string]string{}}, freePorts)
	if err == nil {
		s.Stop()
		t.Fatal("a broken configuration was accepted")
	}
	for _, want := range []string{"start prosody: it ended by itself", "unexpected symbol"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
}

func TestUnusableOptions(t *testing.T) {
	for _, o := range []Options{
		{Domain: `local"host`},
		{Accounts: map[string]string{"--help": "x"}},
		{Accounts: map[string]string{"alice": ""}},
		{MaxStanzaBytes: -1},
	} {
		if _, err := o.withDefaults(); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}
