package integration

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// Prometheus gets to know what serve is doing: what is connected and how, what has ended, what has moved, and that the server was lost in between.
func TestMetrics(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	if r := bob.try(bob.dir, "git-remote-xmpp", "serve", "--metrics", "0.0.0.0:9469"); r.status != 2 || !strings.Contains(r.stderr, `serve: --metrics: "0.0.0.0:9469" isn't a loopback address`) {
		t.Errorf("for everybody: %v", r)
	}
	served, trace := bob.newRepo("proj"), filepath.Join(bob.dir, "trace")
	bob.env = append(bob.env, "GIT_XMPP_TRACE="+trace)
	serve := bob.serve(served, "--metrics", "127.0.0.1:0")
	log, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	at := regexp.MustCompile(`msg=metrics at=(http://127\.0\.0\.1:\d+/metrics)`).FindSubmatch(log)
	if at == nil {
		t.Fatalf("it doesn't say where: %s", log)
	}
	clone := filepath.Join(alice.dir, "clone")
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), clone)
	alice.commit(clone, "one")
	alice.git(clone, "push", "--quiet", "origin", "main")
	alice.try(clone, "git", "ls-remote", "xmpp::bob@localhost/nothing")
	has := func(body string, lines ...string) bool {
		for _, line := range lines {
			if !strings.Contains(body, "\n"+line+"\n") {
				return false
			}
		}
		return true
	}
	var body string
	ask := func(lines ...string) func() bool {
		return func() bool {
			body = scrape(t, string(at[1]))
			return has(body, lines...)
		}
	}
	await(t, "what has ended", ask(`git_remote_xmpp_ended_total{result="done",service="fetch"} 1`, `git_remote_xmpp_ended_total{result="done",service="push"} 1`,
		`git_remote_xmpp_ended_total{result="refused",service="fetch"} 1`))
	if !has(body, "git_remote_xmpp_online 1", "git_remote_xmpp_repositories 1", "git_remote_xmpp_reconnects_total 0", `git_remote_xmpp_runs{side="receiving",state="running"} 0`,
		`git_remote_xmpp_packet_bytes_total{direction="sent",path="direct"} 0`, `git_remote_xmpp_connections{direction="outgoing",path="relayed"} 0`) {
		t.Errorf("it says\n%s", body)
	}
	for _, direction := range []string{"sent", "received"} { // at least two handshakes
		if !regexp.MustCompile(`git_remote_xmpp_packet_bytes_total\{direction="` + direction + `",path="in-band"\} [0-9.e+]{4,}`).MatchString(body) {
			t.Errorf("nothing was %s: %s", direction, body)
		}
	}
	for _, name := range []string{"alice", "bob", bob.dir} {
		if strings.Contains(body, name) {
			t.Errorf("it names %s: %s", name, body)
		}
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the next login", ask("git_remote_xmpp_reconnects_total 1", "git_remote_xmpp_online 1"))
	serve.stop()
	if _, err := http.Get(string(at[1])); err == nil { //nolint:bodyclose // there is none
		t.Error("somebody answers after the end")
	}
}

func scrape(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", answer.Status, text, err)
	}
	return "\n" + string(text)
}
