package statusview

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/syncer"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"
)

// at is when the frames of these tests are drawn.
var at = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// style is one for a terminal with so many colours.
func style(colours termenv.Profile, ascii bool) *Style {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(colours)
	return NewStyle(r, ascii)
}

// inStep is a repository with one remote that is in step and one that isn't, and with something unmerged.
func inStep() []syncer.Status {
	const home, old, key = "bob@example.org/git-h", "bob@example.org/git-o", "SHA256:0123456789abcdef"
	return []syncer.Status{{Repository: "group/proj", Sync: true, Remotes: []syncer.Remote{
		{Name: "origin", Peers: []syncer.Peer{{JID: home, Key: key, Label: "home", Online: true}}},
		{Name: "backup", OutOfSync: true, Since: at.Add(-2 * time.Hour), Peers: []syncer.Peer{{JID: old, Key: key, Label: "old box", Waiting: []string{"push"}}}},
	}, Unmerged: []syncer.Unmerged{{Ref: "refs/synced/1/main", Branch: "main", From: "old box"}}}}
}

// watched is two answers of a busy serve, a second apart, in which a clone went on by 1 MiB.
func watched() *History {
	h, busy := &History{}, busyStatus(at)
	busy.Running[1].Sent, busy.Running[1].Size = 5<<20, 8<<20
	h.Add(busy, at.Add(-time.Second))
	busy = busyStatus(at)
	busy.Running[1].Sent, busy.Running[1].Size = 6<<20, 8<<20
	busy.Connections[1].Path, busy.Connections[1].Address, busy.Connections[1].RoundTrip = "direct", "192.0.2.1:5000", 1.5
	busy.Sync = inStep()
	h.Add(busy, at)
	return h
}

// What there is is drawn in as many lines and columns as there are.
func TestDraw(t *testing.T) {
	gone, silent, idle, none := &History{}, watched(), &History{}, &History{}
	gone.Add(busyStatus(at), at)
	gone.Forget()
	offline := Document{Status: serve.Status{Account: "bob@example.org", Repositories: make([]serve.Repository, 7)}, Since: at}
	idle.Add(offline, at)
	for name, test := range map[string]struct {
		history *History
		ascii   bool
		frame   Frame
		want    string
	}{
		"wide": {watched(), false, Frame{Width: 120, Height: 40}, `bob@example.org  ● online · repositories: 1 · served for 1h0m0s

peers
● Alice's laptop  alice@example.org       in-band · streams: 2 · incoming 1m15s
● SHA256:6zrUpETqsbPv  carol@example.org  direct to 192.0.2.1:5000, 1.5 ms · streams: 1 · outgoing 2s
● home  bob@example.org                   online
○ old box  bob@example.org                offline

running  pushes 1 of 1, fetches 1 of 8
← push group/proj  Alice's laptop        1.5 MiB  0 B/s  1m10s
→ fetch group/proj  SHA256:6zrUpETqsbPv  ███████████████░░░░░ 75%  6.0 MiB of 8.0 MiB  1.0 MiB/s  0s

waiting
← push group/proj  Alice's laptop  before it: 1 · 1m5s

sync
✗ group/proj backup  old box  out of sync for 2h0m0s, offline, waits: push
✗ group/proj main  old box    unmerged: git merge refs/synced/1/main
✓ group/proj origin  home     in sync, online
q: quit`},
		"narrow": {watched(), true, Frame{Width: 40, Height: 14, First: 13}, `bob@example.org  * online - repositorie~
    1.5 MiB  0 B/s  1m10s
-> fetch group/proj  SHA256:6zrUpETqsbPv
    #######... 75%  6.0 MiB of 8.0 MiB ~

waiting
<- push group/proj  Alice's laptop
    before it: 1 - 1m5s

sync
! group/proj backup  old box
    out of sync for 2h0m0s, offline, wa~
! group/proj main  old box
q: quit - up, down: lines 14 to 25 of 28`},
		"serve is silent": {silent, false, Frame{Width: 60, Height: 5, Trouble: "serve doesn't answer", Since: at.Add(-7 * time.Second)}, `bob@example.org  ● online · repositories: 1 · served for 1h…
✗ serve doesn't answer · 7s

peers
q: quit · up, down: lines 1 to 2 of 27`},
		"serve is gone": {gone, false, Frame{Width: 60, Height: 5, Trouble: "serve has ended", Since: at.Add(-time.Minute)}, "✗ serve has ended · 1m0s\nq: quit"},
		"offline":       {idle, false, Frame{Width: 100, Height: 9}, "bob@example.org  ○ offline: the xmpp server doesn't answer · repositories: 7 or more · served for 0s\n\nrunning  pushes 0 of 0, fetches 0 of 0\nq: quit"},
		"no room":       {none, false, Frame{Width: 3, Height: 1, Trouble: "serve has ended", Since: at}, "✗ …"},
	} {
		test.frame.Now = at
		if got, _ := test.history.Draw(style(termenv.Ascii, test.ascii), test.frame); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, test.want)
		}
	}
}

// Whatever a document holds, nothing goes beyond the terminal, nor moves anything on it.
func TestDrawStaysInside(t *testing.T) {
	h := watched()
	d, _ := h.newest()
	const evil = "\x1b[2J\x1b]0;x\a\rspoof\n\u202eevil 日本語日本語\xff"
	d.Account = evil
	for i := range 60 {
		d.Connections = append(d.Connections, serve.Connection{JID: fmt.Sprint(evil, i), Key: evil, Label: evil, Path: evil, WhyInBand: evil})
		d.Running = append(d.Running, serve.Run{JID: evil, Label: evil, Repository: serve.Repository{Name: evil}, Side: "fetching", Sent: 1 << 62, Size: 1})
	}
	h.Add(d, at.Add(time.Second))
	for width := 1; width < 130; width += 7 {
		for height := 1; height < 40; height += 13 {
			text, _ := h.Draw(style(termenv.TrueColor, false), Frame{Now: at, Width: width, Height: height, First: 3})
			lines := strings.Split(text, "\n")
			if len(lines) > height {
				t.Errorf("%d lines on %d", len(lines), height)
			}
			for _, line := range lines {
				plain := ansi.Strip(line)
				if ansi.StringWidth(line) > width || strings.ContainsAny(plain, "\x1b\r\a\u202e") || !utf8.ValidString(plain) || strings.Contains(line, "\x1b[2J") {
					t.Errorf("of %d columns: %q", width, line)
				}
			}
		}
	}
}

// Colours are there where the terminal has them, and the text is the same.
func TestDrawColours(t *testing.T) {
	frame := Frame{Now: at, Width: 100, Height: 40}
	coloured, _ := watched().Draw(style(termenv.ANSI, false), frame)
	plain, _ := watched().Draw(style(termenv.Ascii, false), frame)
	if !strings.Contains(coloured, "\x1b[31") && !strings.Contains(coloured, "\x1b[1;31") || strings.Contains(plain, "\x1b") || ansi.Strip(coloured) != plain {
		t.Errorf("with colours %q\nwithout %q", coloured, plain)
	}
}

// The view can be moved down to its end, and no further.
func TestDrawLast(t *testing.T) {
	h, s := watched(), style(termenv.Ascii, false)
	_, last := h.Draw(s, Frame{Now: at, Width: 120, Height: 10})
	end, _ := h.Draw(s, Frame{Now: at, Width: 120, Height: 10, First: last})
	beyond, _ := h.Draw(s, Frame{Now: at, Width: 120, Height: 10, First: last + 5})
	if last == 0 || end != beyond || strings.Count(end, "\n") != 9 || !strings.Contains(end, "in sync, online") {
		t.Errorf("the last line to begin with is %d:\n%s", last, end)
	}
}

// A rate is what went between answers about the same run of the same serve.
func TestRate(t *testing.T) {
	run := serve.Run{JID: "a", Side: "receiving", Since: at}
	answer := func(received uint64, since time.Time) Document {
		r := run
		r.Received = received
		return Document{Since: since, Status: serve.Status{Running: []serve.Run{r}}}
	}
	for name, test := range map[string]struct {
		received []uint64 // a second apart
		restart  bool     // before the last
		want     float64
		known    bool
	}{
		"one answer":       {[]uint64{5}, false, 0, false},
		"two":              {[]uint64{5, 105}, false, 100, true},
		"some":             {[]uint64{0, 0, 300}, false, 150, true},
		"only the last":    {[]uint64{0, 1000, 1000, 1000, 1000, 1000, 1400}, false, 100, true},
		"back":             {[]uint64{50, 10}, false, 0, false},
		"of another serve": {[]uint64{5, 105}, true, 0, false},
		"nothing moves":    {[]uint64{5, 5}, false, 0, true},
	} {
		var h History
		var last Document
		for i, n := range test.received {
			last = answer(n, at)
			if test.restart && i == len(test.received)-1 {
				last.Since = at.Add(time.Hour)
			}
			h.Add(last, at.Add(time.Duration(i)*time.Second))
		}
		if got, known := h.rate(last.Running[0]); got != test.want || known != test.known {
			t.Errorf("%s: %v, %v, want %v, %v", name, got, known, test.want, test.known)
		}
	}
}
