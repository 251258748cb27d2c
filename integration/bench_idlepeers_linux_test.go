package integration

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	// idlePeers is how many peers a serve knows that are online, unless BENCH_IDLE_PEERS says otherwise.
	idlePeers = 1000
	// idleAccounts is how many accounts these use.
	idleAccounts = 100
	// idleSeconds is how long it is counted what serve does, unless BENCH_IDLE_SECONDS says otherwise.
	idleSeconds = 60
)

// BenchmarkIdlePeers measures what a serve costs that knows many peers, all online, none of which wants anything.
func BenchmarkIdlePeers(b *testing.B) {
	needBig(b)
	peers, seconds := int(number(b, "BENCH_IDLE_PEERS", idlePeers)), number(b, "BENCH_IDLE_SECONDS", idleSeconds)
	accounts := map[string]string{"bob": "bob-secret"}
	for i := range min(peers, idleAccounts) {
		accounts[crowdUser(i)] = "secret"
	}
	s := benchServer(b, testserver.Ejabberd, testserver.Options{Accounts: accounts})
	link := newTLSCounter(b, s.Addr)
	bob := newHome(b, serverAt(s, link.Addr().String()), "Bob", "bob")
	served := bob.newRepo("proj")
	alice := newHome(b, s, "Alice", crowdUser(0))
	d := bob.serve(served)
	alice.git(alice.dir, "ls-remote", bob.xmpp(served, "invite"))
	alone := usageOf(b, d.cmd.Process.Pid)
	d.stop()
	bob.multiplyPeers(peers)
	d = bob.serve(served)
	known := usageOf(b, d.cmd.Process.Pid)
	beOnline(b, s, peers, d.jid)
	online := usageOf(b, d.cmd.Process.Pid)
	records, cpu := link.sent.Load(), d.cpu(b)
	if records == 0 || cpu == 0 {
		b.Fatalf("nothing is counted: %d records, %v", records, cpu)
	}
	time.Sleep(time.Duration(seconds) * time.Second) // what is measured is that nothing happens
	minutes := float64(seconds) / 60
	row := func(name, scale string, value float64) *benchRow {
		return &benchRow{over: fmt.Sprintf("ejabberd, %d peers", peers), name: name, scale: scale, number: func() float64 { return value }}
	}
	benchReport(b, "idle peers", []*benchRow{
		row("memory of serve that knows one", "MiB", mib(alone.bytes)), row("memory, all known", "MiB", mib(known.bytes)), row("memory, all online", "MiB", mib(online.bytes)),
		row("TLS records sent in a minute", "records", float64(link.sent.Load()-records)/minutes),
		row("processor time in a minute", "ms", (d.cpu(b)-cpu).Seconds()*1e3/minutes),
	}, 1, "Known by peers.json, and each seen online by a presence.")
}

// idleResource is of the form that a serve's has.
func idleResource(i int) string { return fmt.Sprintf("git-%016x", i) }

// multiplyPeers makes the one peer that is known n, each with a key of its own and a resource.
func (h *home) multiplyPeers(n int) {
	h.t.Helper()
	path := filepath.Join(h.dataDir(), "peers.json")
	text, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(text, &file); err != nil {
		h.t.Fatal(err)
	}
	content := file["content"].(map[string]any)
	one := content["peers"].([]any)[0].(map[string]any)
	var all []any
	for i := range n {
		peer := maps.Clone(one)
		key, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			h.t.Fatal(err)
		}
		peer["key"], peer["addresses"], peer["resource"] = base64.RawStdEncoding.EncodeToString(key), []string{crowdUser(i%idleAccounts) + "@localhost"}, idleResource(i)
		all = append(all, peer)
	}
	content["peers"] = all
	if text, err = json.Marshal(file); err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// beOnline logs n clients in that tell somebody of it who knows them, and read what comes until the end of the benchmark.
func beOnline(b *testing.B, s *testserver.Server, n int, to string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	var readers sync.WaitGroup
	var clients []*bareClient
	b.Cleanup(func() {
		for _, c := range clients {
			_ = c.conn.Close()
		}
		readers.Wait()
		cancel()
	})
	for i := range n {
		c, err := bareLogin(ctx, s, crowdUser(i%idleAccounts), idleResource(i))
		if err == nil {
			err = c.showUp(to)
		}
		if err != nil {
			b.Fatal(err)
		}
		clients = append(clients, c)
		readers.Go(func() { _, _ = io.Copy(io.Discard, c.conn) })
	}
}

// showUp tells somebody that we are there, and has a ping answered, as known peers have, by which that has been read.
func (c *bareClient) showUp(to string) error {
	_, err := fmt.Fprintf(c.conn, "<presence to='%[1]s'><priority>-1</priority></presence><iq type='get' id='p' to='%[1]s'><ping xmlns='urn:xmpp:ping'/></iq>", to)
	for err == nil {
		var start xml.StartElement
		start, err = c.next("")
		if err == nil && start.Name.Local == "iq" {
			var answer struct {
				Type string `xml:"type,attr"`
			}
			if err = c.dec.DecodeElement(&answer, &start); err == nil && answer.Type != "result" {
				err = errors.New("we aren't known")
			}
			return err
		}
		if err == nil {
			err = c.dec.Skip()
		}
	}
	return err
}
