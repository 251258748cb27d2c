package serve_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// hang makes the repository's pre-receive hook wait for ever; the returned function waits until it runs.
func (w *world) hang(name string) (pids func() []string) {
	w.t.Helper()
	dir := w.repos[name].Repo.Dir
	mark := filepath.Join(dir, "hanging")
	script := "#!/bin/sh\necho $$ >" + mark + "\nexec sleep 600\n"
	if err := os.WriteFile(filepath.Join(dir, "hooks", "pre-receive"), []byte(script), 0o700); err != nil { //nolint:gosec // a hook is executable
		w.t.Fatal(err)
	}
	return func() []string {
		w.t.Helper()
		var pid string
		w.await("the hook", func() bool {
			b, err := os.ReadFile(mark)
			pid = strings.TrimSpace(string(b))
			return err == nil && pid != ""
		})
		return []string{pid}
	}
}

func (w *world) await(what string, happened func() bool) {
	w.t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for end := time.After(deadline); !happened(); {
		select {
		case <-ticker.C:
		case <-end:
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// ended waits until processes are gone.
func (w *world) ended(pids []string) {
	w.t.Helper()
	for _, pid := range pids {
		w.await("the end of process "+pid, func() bool {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			return err != nil || strings.Contains(string(stat), ") Z ")
		})
	}
}

// push begins a push that deletes a branch that isn't there: it needs no pack, and reaches the hook.
func (g *guest) push() (*transport.Stream, *protocol.Reader) {
	g.t.Helper()
	s, r := g.open(&protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: clientA})
	m, err := r.Next()
	for err == nil && m.Type() == protocol.TypeQueued { // the push before is still cleaning up
		m, err = r.Next()
	}
	if err != nil || m.Type() != protocol.TypeAccept {
		g.t.Fatalf("%+v, %v", m, err)
	}
	zero := strings.Repeat("0", 40)
	line := zero + " " + zero + " refs/heads/x\x00report-status delete-refs"
	request := protocol.Data(pktLine(line) + "0000")
	if err := protocol.Write(s, request); err != nil {
		g.t.Fatal(err)
	}
	return s, r
}

func pktLine(s string) string {
	const hex = "0123456789abcdef"
	n := len(s) + 4
	return string([]byte{hex[n>>12&15], hex[n>>8&15], hex[n>>4&15], hex[n&15]}) + s
}

// endCode reads to the end and returns the code that the other side gave up with.
func endCode(t *testing.T, r *protocol.Reader) protocol.Code {
	t.Helper()
	for {
		_, err := r.Next()
		var reset *transport.StreamError
		if errors.As(err, &reset) && reset.Remote {
			return protocol.Code(reset.ErrorCode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// No progress for the timeout ends a push on the serving side too, with all its processes, and the next one runs.
func TestHangingHook(t *testing.T) {
	w := newWorld(t, 2*time.Second, "proj")
	pids := w.hang("proj")
	g := w.guest("alice", writeProj).hello()
	_, r := g.push()
	hanging := pids()
	if code := endCode(t, r); code != protocol.CodeTimeout {
		t.Errorf("given up with %v", code)
	}
	w.ended(hanging)
	if err := os.Remove(filepath.Join(w.repos["proj"].Repo.Dir, "hooks", "pre-receive")); err != nil {
		t.Fatal(err)
	}
	_, r = g.push()
	for {
		m, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if done, ok := m.(*protocol.Done); ok {
			if done.Status != 0 {
				t.Errorf("the next push ended with %d", done.Status)
			}
			return
		}
	}
}

// A client that gives up, or whose connection ends, leaves no process.
func TestClientGivesUp(t *testing.T) {
	for name, giveUp := range map[string]func(*guest, *transport.Stream){
		"stream reset":      func(_ *guest, s *transport.Stream) { s.CancelWrite(16); s.CancelRead(16) },
		"connection closed": func(g *guest, _ *transport.Stream) { g.conn.Close(0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, deadline, "proj")
			pids := w.hang("proj")
			g := w.guest("alice", writeProj).hello()
			s, _ := g.push()
			hanging := pids()
			giveUp(g, s)
			w.ended(hanging)
		})
	}
}

// A server that is told to stop cancels what doesn't end by itself, and says so.
func TestShutdown(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	pids := w.hang("proj")
	g := w.guest("alice", writeProj).hello()
	g.push()
	hanging := pids()
	began := time.Now()
	w.shutdown()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	w.ended(hanging)
	if code := g.closed(); code != protocol.CodeShutdown {
		t.Errorf("closed with %v", code)
	}
}
