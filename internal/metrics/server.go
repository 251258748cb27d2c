package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

const (
	headerTimeout = 5 * time.Second
	answerTimeout = 15 * time.Second
	idleTimeout   = 60 * time.Second
	closeTimeout  = 2 * time.Second
	// maxHeaderBytes bounds a request, maxRequests how many are answered at once, maxConnections how many connections there are.
	maxHeaderBytes = 8 << 10
	maxRequests    = 4
	maxConnections = 16
)

// CheckAddress refuses addresses that aren't of this machine alone.
func CheckAddress(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no host:port", address)
	}
	if !isLoopback(host) {
		return fmt.Errorf("%q isn't a loopback address, such as 127.0.0.1:9469: anybody could read it", address)
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// A Server answers at /metrics. It must be closed.
type Server struct {
	listener net.Listener
	http     *http.Server
	log      *slog.Logger
	running  sync.WaitGroup
	ctx      context.Context // of what is asked for answers
	cancel   context.CancelFunc
}

// Listen takes an address that passes [CheckAddress]. Nothing is answered before [Server.Serve].
func Listen(ctx context.Context, address string, log *slog.Logger) (*Server, error) {
	if err := CheckAddress(address); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if at, ok := listener.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() { // whatever the system makes of a name
		return nil, errors.Join(fmt.Errorf("%s isn't a loopback address", listener.Addr()), listener.Close())
	}
	s := &Server{listener: netutil.LimitListener(listener, maxConnections), log: log}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Address is where it listens.
func (s *Server) Address() net.Addr { return s.listener.Addr() }

// Serve begins to answer. It may be called once.
func (s *Server) Serve(version string, facts func(context.Context) Facts) {
	handler := promhttp.HandlerFor(newRegistry(s.ctx, version, facts), promhttp.HandlerOpts{MaxRequestsInFlight: maxRequests, Timeout: answerTimeout})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", own(handler))
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: 2 * answerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.running.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("no metrics any more", "err", err)
		}
	})
}

// own refuses requests for other names: a web page could have the user's browser ask for them.
func own(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.Trim(r.Host, "[]")
		}
		if !isLoopback(host) {
			http.Error(w, "not by this name", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Close ends it, with a little time for what is being answered.
func (s *Server) Close() {
	s.cancel()
	if s.http == nil {
		_ = s.listener.Close() // nobody uses it
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // whatever is being answered
	}
	s.running.Wait()
}
