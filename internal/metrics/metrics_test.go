package metrics

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, facts func(context.Context) Facts) *Server {
	t.Helper()
	s, err := Listen(t.Context(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Serve("v1.2.3", facts)
	return s
}

// get asks under a name.
func get(t *testing.T, s *Server, path, host string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Address().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestFigures(t *testing.T) {
	facts := Facts{
		Online: true, Reconnects: 2, Repositories: 3,
		Connections: map[Connection]int{{"incoming", "in-band"}: 1, {"outgoing", "direct"}: 0},
		Runs:        map[Run]int{{"receiving", "running"}: 4},
		Ended:       map[Ended]uint64{{"push", "done"}: 5},
		Bytes:       map[Bytes]uint64{{"sent", "in-band"}: 1 << 40},
	}
	s := start(t, func(context.Context) Facts { return facts })
	ours := func() string {
		t.Helper()
		status, body := get(t, s, "/metrics", "")
		if status != http.StatusOK || !strings.Contains(body, "\ngo_goroutines ") {
			t.Fatalf("%d: %s", status, body)
		}
		return strings.Join(regexp.MustCompile(`(?m)^git_remote_xmpp_.*\n`).FindAllString(body, -1), "")
	}
	want := `git_remote_xmpp_build_info{version="v1.2.3"} 1
git_remote_xmpp_connections{direction="incoming",path="in-band"} 1
git_remote_xmpp_connections{direction="outgoing",path="direct"} 0
git_remote_xmpp_ended_total{result="done",service="push"} 5
git_remote_xmpp_online 1
git_remote_xmpp_packet_bytes_total{direction="sent",path="in-band"} 1.099511627776e+12
git_remote_xmpp_reconnects_total 2
git_remote_xmpp_repositories 3
git_remote_xmpp_runs{side="receiving",state="running"} 4
`
	if got := ours(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	facts = Facts{Repositories: -1}
	if got := ours(); strings.Contains(got, "repositories") || !strings.Contains(got, "git_remote_xmpp_online 0\n") {
		t.Errorf("got %s", got)
	}
}

// Nobody but this machine's own programs gets an answer: not who has a browser ask by another name.
func TestWhoAsks(t *testing.T) {
	s := start(t, func(context.Context) Facts { return Facts{} })
	for host, want := range map[string]int{"": 200, "localhost:9469": 200, "[::1]": 200, "evil.example.org": 403, "127.0.0.1.example.org:80": 403, "192.0.2.1": 403} {
		if status, _ := get(t, s, "/metrics", host); status != want {
			t.Errorf("as %q: %d, want %d", host, status, want)
		}
	}
	if status, _ := get(t, s, "/", ""); status != http.StatusNotFound {
		t.Errorf("elsewhere: %d", status)
	}
	for address, ok := range map[string]bool{
		"127.0.0.1:9469": true, "[::1]:9469": true, "localhost:0": true, "127.8.9.1:1": true, ":9469": false, "0.0.0.0:9469": false, "[::]:9469": false, "192.0.2.1:9469": false,
		"example.org:9469": false, "9469": false, "127.0.0.1": false, "": false,
	} {
		if err := CheckAddress(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := Listen(t.Context(), "0.0.0.0:0", nil); err == nil {
		t.Error("it listens on all addresses")
	}
	if _, err := Listen(t.Context(), s.Address().String(), nil); err == nil {
		t.Error("it listens where somebody does")
	}
}

// When it is closed nobody is asked and nothing listens any more.
func TestClose(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan struct{})
	s := start(t, func(ctx context.Context) Facts {
		close(asked)
		<-ctx.Done()
		close(ended)
		return Facts{}
	})
	conn, err := net.Dial("tcp", s.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-asked
	s.Close()
	select {
	case <-ended:
	default:
		t.Error("somebody is still being asked")
	}
	if again, err := net.Dial("tcp", s.Address().String()); err == nil {
		again.Close()
		t.Error("somebody listens")
	}
	unused, err := Listen(t.Context(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	unused.Close()
}
