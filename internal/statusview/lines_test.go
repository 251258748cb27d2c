package statusview

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/serve"
)

// busyStatus is that of a serve with a push that runs, one that waits, and a fetch.
func busyStatus(now time.Time) Document {
	proj := serve.Repository{Name: "group/proj", UUID: "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0001"}
	const key, laptop, other = "SHA256:6zrUpETqsbPvDNfGQ7h2", "alice@example.org/git-run-1", "carol@example.org/git-2"
	return Document{Serving: true, Software: "git-remote-xmpp test", Key: "SHA256:x", Since: now.Add(-time.Hour), Status: serve.Status{
		Account: "bob@example.org", JID: "bob@example.org/git-1", Online: true,
		Limits: serve.Limits{Pushes: 1, Fetches: 8, Waiting: 512, WaitingPerClient: 64},
		Connections: []serve.Connection{
			{JID: laptop, Key: key, Label: "Alice's laptop", Since: now.Add(-75 * time.Second), Direction: serve.Incoming, Path: "in-band", Streams: 2},
			{JID: other, Key: key, Since: now.Add(-2 * time.Second), Direction: serve.Outgoing, Path: "in-band", Streams: 1},
		},
		Running: []serve.Run{
			{Key: key, Label: "Alice's laptop", JID: laptop, Repository: proj, Side: "receiving", Since: now.Add(-70 * time.Second), Received: 1<<20 + 1<<19, Sent: 900},
			{Key: key, JID: other, Repository: proj, Side: "fetching", Since: now.Add(time.Second), Received: 1 << 10, Sent: 5 << 40},
		},
		Waiting: []serve.Run{
			{Key: key, Label: "Alice's laptop", JID: laptop, Repository: proj, Side: "receiving", Since: now.Add(-65 * time.Second), Before: 1},
		},
		Repositories: []serve.Repository{proj}, Complete: true,
	}}
}

// For people there is one short line for each connection and run, in columns.
func TestStatusText(t *testing.T) {
	now := time.Date(2024, 5, 6, 7, 8, 9, 0, time.Local)
	var out bytes.Buffer
	if err := busyStatus(now).WriteLines(&out, now); err != nil {
		t.Fatal(err)
	}
	want := `account       bob@example.org/git-1   online
repositories  1                       served since 2024-05-06 06:08:09
pushes        1 running of at most 1  1 waiting
fetches       1 running of at most 8  0 waiting
connection  Alice's laptop       alice@example.org/git-run-1  in-band     incoming for 1m15s, streams: 2
connection  SHA256:6zrUpETqsbPv  carol@example.org/git-2      in-band     outgoing for 2s, streams: 1
receiving   Alice's laptop       alice@example.org/git-run-1  group/proj  runs for 1m10s: 1.5 MiB in, 900 B out
fetching    SHA256:6zrUpETqsbPv  carol@example.org/git-2      group/proj  runs for 0s: 1.0 KiB in, 5.0 TiB out
receiving   Alice's laptop       alice@example.org/git-run-1  group/proj  waits for 1m5s, before it: 1
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// What isn't there, or isn't known, is said.
func TestStatusTextOffline(t *testing.T) {
	var out bytes.Buffer
	v := Document{Status: serve.Status{JID: "bob@example.org/git-1", Repositories: make([]serve.Repository, 7)}}
	if err := v.WriteLines(&out, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bob@example.org/git-1   offline\n", " 7 or more "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("said\n%s\nwithout %q", out.String(), want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 1 << 60: "1048576.0 TiB"} {
		if got := size(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}
