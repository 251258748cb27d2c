package statusview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"git-remote-xmpp/internal/serve"
)

// A mood is what a row's mark, or a text, says at a glance.
type mood int

const (
	plain mood = iota
	good
	faint
	busy
	bad
	strong
)

// A row is one thing that there is: what it is, and how it stands with it.
type row struct {
	mark          string
	mood          mood
	title, detail string
}

// A section is the rows of one kind.
type section struct {
	name, summary string
	rows          []row
}

// glyphs are signs for marks and bars.
type glyphs struct {
	on, off, yes, no, in, out, full, empty, dot, more string
}

var (
	unicodeGlyphs = glyphs{"●", "○", "✓", "✗", "←", "→", "█", "░", " · ", "…"}
	asciiGlyphs   = glyphs{"*", "-", "+", "!", "<-", "->", "#", ".", " - ", "~"}
)

// A scene is what rows are made of.
type scene struct {
	*History
	Document
	glyphs
	now time.Time
	bar int // columns of a bar
}

func (s *scene) sections() []section {
	return []section{
		{"peers", "", s.peers()},
		{"running", fmt.Sprintf("pushes %d of %d, fetches %d of %d", count(s.Running, false), s.Limits.Pushes, count(s.Running, true), s.Limits.Fetches), s.running()},
		{"waiting", "", s.waiting()},
		{"sync", "", s.sync()},
	}
}

// peers are those that we are connected with, with their paths, and those that repositories are kept in step with.
func (s *scene) peers() (rows []row) {
	connected := make(map[string]bool)
	for _, c := range s.Connections {
		connected[c.JID] = true
		streams := "idle"
		if c.Streams > 0 {
			streams = fmt.Sprintf("streams: %d", c.Streams)
		}
		since := fmt.Sprintf("%s %s", c.Direction, age(c.Since, s.now))
		rows = append(rows, row{s.on, good, s.peer(c.Label, c.Key, c.JID), join(s.dot, route(c), streams, since, c.WhyInBand)})
	}
	for _, r := range s.Sync {
		for _, m := range r.Remotes {
			for _, p := range m.Peers {
				if connected[p.JID] {
					continue
				}
				connected[p.JID] = true
				mark := row{s.off, faint, s.peer(p.Label, p.Key, p.JID), presence(p.Online)}
				if p.Online {
					mark.mark, mark.mood = s.on, good
				}
				rows = append(rows, mark)
			}
		}
	}
	return rows
}

// peer is a peer with its account.
func (s *scene) peer(label, key, jid string) string {
	account, _, _ := strings.Cut(jid, "/")
	return Who(label, key) + "  " + account
}

func (s *scene) running() (rows []row) {
	for _, r := range s.Running {
		rows = append(rows, row{s.arrow(r), busy, s.run(r), s.progress(r)})
	}
	return rows
}

func (s *scene) waiting() (rows []row) {
	for _, r := range s.Waiting {
		rows = append(rows, row{s.arrow(r), faint, s.run(r), fmt.Sprintf("before it: %d%s%s", r.Before, s.dot, age(r.Since, s.now))})
	}
	return rows
}

func (s *scene) arrow(r serve.Run) string {
	if r.Side == "receiving" {
		return s.in
	}
	return s.out
}

// run is what is done, with which repository and whom.
func (s *scene) run(r serve.Run) string {
	verb := "push"
	if r.Side == "fetching" {
		verb = "fetch"
	}
	if strings.HasPrefix(r.Service, "lfs") {
		verb = "lfs " + verb
	}
	return fmt.Sprintf("%s %s  %s", verb, r.Repository.Name, Who(r.Label, r.Key))
}

// progress is how far a run is: with a bar where it is known how much there is.
func (s *scene) progress(r serve.Run) string {
	took := age(r.Since, s.now).String()
	if r.Side == "sending" { // by a git of its own
		return took
	}
	bytes, rate := moved(r), ""
	perSecond, known := s.rate(r)
	if known {
		rate = size(uint64(perSecond)) + "/s"
	}
	if r.Size == 0 {
		return join("  ", size(bytes), rate, took)
	}
	const whole = 100
	percent := min(whole-1, int(float64(bytes)/float64(r.Size)*whole)) // the size is about right
	done := percent * s.bar / whole
	bar := strings.Repeat(s.full, done) + strings.Repeat(s.empty, s.bar-done)
	return join("  ", fmt.Sprintf("%s %2d%%", bar, percent), fmt.Sprintf("%s of %s", size(bytes), size(r.Size)), rate, took)
}

// sync is what is in step and what isn't, which comes first.
func (s *scene) sync() (rows []row) {
	for _, r := range s.Sync {
		for _, m := range r.Remotes {
			for _, p := range m.Peers {
				one := row{s.yes, good, fmt.Sprintf("%s %s  %s", r.Repository, m.Name, Who(p.Label, p.Key)), syncText(r, m, p, s.now)}
				switch {
				case m.OutOfSync:
					one.mark, one.mood = s.no, bad
				case !r.Sync:
					one.mark, one.mood = s.off, faint
				}
				rows = append(rows, one)
			}
		}
		for _, u := range r.Unmerged {
			rows = append(rows, row{s.no, bad, fmt.Sprintf("%s %s  %s", r.Repository, u.Branch, u.From), "unmerged: git merge " + u.Ref})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return -cmp.Compare(a.mood, b.mood) })
	return rows
}

// join joins those that aren't empty.
func join(with string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), with)
}
