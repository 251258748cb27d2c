package xmppserver

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
)

// TestChurn lets sessions come, go, replace each other and write to each other
// all at once. Afterwards nobody may be left believing that somebody is online.
func TestChurn(t *testing.T) {
	s := serve(t, impatient(func(*limits) {}))
	watcher := join(t, s, "carol", "watch")
	watcher.comeOnline()
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for range 5 {
				churn(t, s, []string{"alice", "bob"}[i%2], fmt.Sprint("r", i%4))
			}
		})
	}
	running.Wait()
	waitAlone(t, s)
	online := make(map[string]bool)
	for _, n := range watcher.sync() {
		if n.XMLName.Local == "presence" {
			online[n.attr("from")] = n.attr("type") == ""
		}
	}
	if len(online) == 0 {
		t.Error("nobody was seen")
	}
	for who, still := range online {
		if still {
			t.Errorf("%s still looks online", who)
		}
	}
}

// churn is one short session. It may lose its address to another at any time.
func churn(t *testing.T, s *Server, user, resource string) {
	p := join(t, s, user, resource)
	p.conn.SetDeadline(time.Now().Add(patience))
	for i := range 8 {
		_, err := fmt.Fprintf(p.conn, "<presence/><presence to='bob@localhost/r%d'/>"+
			"<message type='headline' to='alice@localhost/r%d'/><message to='carol@localhost/none'/>", i%4, i%4)
		if err != nil {
			break
		}
	}
	_, _ = io.WriteString(p.conn, "</stream:stream>")
	_, _ = io.Copy(io.Discard, p.conn)
	p.conn.Close()
}

// waitAlone waits until only one session is registered.
func waitAlone(t *testing.T, s *Server) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.sessions.mu.RLock()
		accounts := len(s.sessions.online)
		s.sessions.mu.RUnlock()
		if accounts == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d accounts are still online", accounts)
		}
	}
}
