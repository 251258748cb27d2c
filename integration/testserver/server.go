package testserver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

const (
	startTimeout  = 60 * time.Second      // for a server to come up, unless the context ends sooner
	probeInterval = 10 * time.Millisecond // between two looks at a server that comes up
	portCount     = 3                     // that each kind gets
)

// Server is a running XMPP server on loopback. Its exported fields stay the same
// from Start to Stop.
type Server struct {
	Name          string            // Prosody or Ejabberd
	Addr          string            // host:port, STARTTLS
	DirectTLSAddr string            // host:port, TLS from the first byte
	CAFile        string            // PEM; verifies the server's certificate for Domain and 127.0.0.1
	Domain        string            // what follows the @ of an account
	Accounts      map[string]string // local part to password
	Dir           string            // everything the server writes lies here
	LogFile       string            // what the server prints: its log

	opts      Options
	recipe    recipe
	proxyAddr string // of the bytestreams' proxy, where there is one
	pair      *keyPair
	ownsDir   bool
	accounts  bool // registered

	mu   sync.Mutex // guards proc
	proc *process   // nil when stopped
}

// recipe is what differs from one kind of server to another.
type recipe interface {
	// configure writes the configuration for portCount ports: STARTTLS, direct TLS, and that of the bytestreams' proxy.
	configure(s *Server, ports []int) error
	// register makes the accounts while the server doesn't run yet.
	register(ctx context.Context, s *Server) error
	// command runs the server in the foreground.
	command(s *Server) (*exec.Cmd, error)
	// ready says whether a server that answers has its accounts.
	ready(s *Server) bool
}

// Start is StartProsody or StartEjabberd, by name.
func Start(ctx context.Context, name string, o Options) (*Server, error) {
	switch name {
	case Prosody:
		return StartProsody(ctx, o)
	case Ejabberd:
		return StartEjabberd(ctx, o)
	default:
		return nil, fmt.Errorf("no XMPP server is called %q", name)
	}
}

// start sets a server up and runs it, on other ports if the first were taken.
func start(ctx context.Context, name string, r recipe, o Options, choose func(string, int) ([]int, error)) (*Server, error) {
	if err := Available(name); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	dir, owned, err := makeDir(o.Dir, name+"-")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s := &Server{
		Name: name, Domain: o.Domain, Accounts: o.Accounts, Dir: dir, LogFile: filepath.Join(dir, "output.log"),
		opts: o, recipe: r, ownsDir: owned,
	}
	s.opts.in(func() { err = s.startOnFreePorts(ctx, choose) })
	if err != nil {
		err = fmt.Errorf("start %s: %w%s", name, err, tail(s.LogFile))
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// startOnFreePorts makes the certificate and tries up to portTries sets of ports.
func (s *Server) startOnFreePorts(ctx context.Context, choose func(string, int) ([]int, error)) (err error) {
	if s.pair, err = makeKeyPair(s.Dir, s.Domain, s.opts.federation); err != nil {
		return err
	}
	s.CAFile = s.pair.caFile
	for range portTries {
		var ports []int
		if ports, err = choose(s.opts.host(), portCount); err != nil {
			return err
		}
		if err = s.startOn(ctx, ports); !errors.Is(err, errPortTaken) {
			return err
		}
		if err := s.end(false); err != nil {
			return err
		}
	}
	return err
}

// startOn configures and runs the server on its ports.
func (s *Server) startOn(ctx context.Context, ports []int) error {
	s.Addr, s.DirectTLSAddr, s.proxyAddr = hostPort(s.opts.host(), ports[0]), hostPort(s.opts.host(), ports[1]), hostPort(s.opts.host(), ports[2])
	if err := s.recipe.configure(s, ports); err != nil {
		return fmt.Errorf("write its configuration: %w", err)
	}
	if !s.accounts {
		if err := s.recipe.register(ctx, s); err != nil {
			return err
		}
		s.accounts = true
	}
	return s.launch(ctx)
}

// launch runs the server as it is configured and returns when it answers.
func (s *Server) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	cmd, err := s.recipe.command(s)
	if err != nil {
		return err
	}
	logged := size(s.LogFile)
	proc, err := startProcess(cmd, s.LogFile, s.opts)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.proc = proc
	s.mu.Unlock()
	return s.awaitUp(ctx, proc, logged)
}

// awaitUp returns nil when the server answers on both ports, and an error when
// it is gone, can't bind a port (by its output past the first logged bytes), or
// the context ends.
func (s *Server) awaitUp(ctx context.Context, proc *process, logged int64) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		err := probe(ctx, s.Addr, s.DirectTLSAddr, s.Domain, s.pair.pool)
		if err == nil && s.recipe.ready(s) {
			return nil
		}
		if errors.Is(err, errPortTaken) || saysPortTaken(s.LogFile, logged) {
			return errPortTaken
		}
		select {
		case <-proc.done:
			return fmt.Errorf("it ended by itself: %v", proc.err)
		case <-ctx.Done():
			return fmt.Errorf("it doesn't come up: %w (%v)", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// PID returns the server's process id, or 0 if it doesn't run.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil || s.proc.exited() {
		return 0
	}
	return s.proc.pid()
}

// Restart ends the server politely, unless it is gone already, and starts it
// again on the same ports with the same accounts and stored data.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.end(true); err != nil {
		return fmt.Errorf("restart %s: %w", s.Name, err)
	}
	var err error
	s.opts.in(func() { err = s.launch(ctx) })
	if err != nil {
		return fmt.Errorf("restart %s: %w%s", s.Name, err, tail(s.LogFile))
	}
	return nil
}

// RestartWithout is Restart for a server that doesn't offer some mechanisms of SASL any more.
func (s *Server) RestartWithout(ctx context.Context, mechanisms ...string) error {
	opts := s.opts
	opts.DisableMechanisms = mechanisms
	if _, err := opts.withDefaults(); err != nil {
		return fmt.Errorf("restart %s: %w", s.Name, err)
	}
	var ports []int
	for _, addr := range []string{s.Addr, s.DirectTLSAddr, s.proxyAddr} {
		at, err := netip.ParseAddrPort(addr)
		if err != nil {
			return fmt.Errorf("restart %s: %w", s.Name, err)
		}
		ports = append(ports, int(at.Port()))
	}
	s.opts = opts
	if err := s.recipe.configure(s, ports); err != nil {
		return fmt.Errorf("restart %s: write its configuration: %w", s.Name, err)
	}
	return s.Restart(ctx)
}

// Stop ends the server, waits until it is gone, and removes its folder unless
// the caller named it. A server whose folder goes is killed: it has nothing to
// save. Calling it again does nothing.
func (s *Server) Stop() error {
	if err := s.end(!s.ownsDir); err != nil {
		return fmt.Errorf("stop %s: %w", s.Name, err)
	}
	if !s.ownsDir {
		return nil
	}
	return os.RemoveAll(s.Dir)
}

// end ends the process, if there is one.
func (s *Server) end(polite bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	if err := s.proc.stop(polite); err != nil {
		return err
	}
	s.proc = nil
	return nil
}
