package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"git-remote-xmpp/internal/agent"
	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/syncer"
	"github.com/spf13/pflag"
)

// statusView is what status --json prints.
type statusView struct {
	Serving  bool      `json:"serving"`
	Software string    `json:"software"` // of the serve that answers
	Key      string    `json:"key"`      // fingerprint
	Since    time.Time `json:"since"`    // when it was ready
	serve.Status
}

// errNotServing says that there is no serve to ask.
var errNotServing = errors.New("no serve of this home answers: it isn't running, isn't logged in yet, or runs with xmpp.agent=never")

// statusCommand asks the serve of this home. It reads no settings and makes no files: it works anywhere.
func statusCommand(ctx context.Context, std stdio, args []string) error {
	var asJSON bool
	rest, err := parseFlags("status", std, args, func(flags *pflag.FlagSet) {
		flags.BoolVar(&asJSON, "json", false, "print JSON")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("status: unexpected argument %q", rest[0])
	}
	dirs, err := config.FindDirs(nil)
	if err != nil {
		return err
	}
	document, err := agent.Status(ctx, dirs.Runtime)
	switch {
	case errors.Is(err, agent.ErrNone) && asJSON:
		_, err := fmt.Fprintln(std.out, `{"serving": false}`)
		return errors.Join(err, errNotServing)
	case errors.Is(err, agent.ErrNone):
		return errNotServing
	case err != nil:
		return fmt.Errorf("ask the serve of this home: %w", err)
	case asJSON:
		return indentJSON(std.out, document)
	}
	var view statusView
	if err := json.Unmarshal(document, &view); err != nil {
		return fmt.Errorf("the serve of this home answers otherwise than this program expects: %w", err)
	}
	return printStatus(std.out, view, time.Now())
}

// statusOf makes the document that serve gives.
func (s *setup) statusOf(server *serve.Server, pool *client.Pool) func(context.Context) ([]byte, error) {
	view := statusView{Serving: true, Software: software(), Key: s.identity.Key.String(), Since: time.Now()}
	return func(ctx context.Context) ([]byte, error) {
		now := view
		now.Status = server.Status(ctx)
		now.Connections = append(now.Connections, s.outgoing(pool)...)
		return json.Marshal(now)
	}
}

// outgoing are the connections that serve has made for helpers.
func (s *setup) outgoing(pool *client.Pool) []serve.Connection {
	var list []serve.Connection
	for _, c := range pool.Connections() {
		peer, _ := s.store.ByKey(c.Key) // one that was removed has no label
		one := serve.Connection{
			JID: c.Peer.String(), Key: c.Key.String(), Label: peer.Label,
			Direction: serve.Outgoing, Since: c.Since, Streams: c.Streams,
		}
		one.SetPath(c.Path)
		list = append(list, one)
	}
	return list
}

// indentJSON prints a document as it is: it may be that of another release.
func indentJSON(w io.Writer, document []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, document, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(w)
	return err
}

func printStatus(out io.Writer, v statusView, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	online := "online"
	if !v.Online {
		online = "offline"
	}
	fmt.Fprintf(w, "account\t%s\t%s\n", v.JID, online)
	more := ""
	if !v.Complete {
		more = " or more"
	}
	fmt.Fprintf(w, "repositories\t%d%s\tserved since %s\n", len(v.Repositories), more, v.Since.Local().Format(time.DateTime))
	printCounts(w, v.Status)
	if err := w.Flush(); err != nil { // what follows has columns of its own
		return err
	}
	for _, c := range v.Connections {
		fmt.Fprintf(w, "connection\t%s\t%s\t%s\t%s for %s, streams: %d\n", who(c.Label, c.Key), c.JID, pathText(c), c.Direction, age(c.Since, now), c.Streams)
	}
	for _, r := range v.Running {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\truns for %s: %s in, %s out\n", r.Side, who(r.Label, r.Key), r.JID, r.Repository.Name,
			age(r.Since, now), size(r.Received), size(r.Sent))
	}
	for _, r := range v.Waiting {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\twaits for %s, before it: %d\n", r.Side, who(r.Label, r.Key), r.JID, r.Repository.Name,
			age(r.Since, now), r.Before)
	}
	for _, r := range v.Sync {
		printSyncStatus(w, r, now)
	}
	return w.Flush()
}

// pathText is how a connection's packets go, and if it isn't directly, why.
func pathText(c serve.Connection) string {
	text := c.Path
	if c.Address != "" {
		text = fmt.Sprintf("%s to %s, %.1f ms", c.Path, c.Address, c.RoundTrip)
	}
	if c.WhyInBand != "" {
		text = fmt.Sprintf("%s (%s)", text, c.WhyInBand)
	}
	return text
}

// printSyncStatus says with whom a repository is in step, and what isn't merged.
func printSyncStatus(w io.Writer, r syncer.Status, now time.Time) {
	for _, m := range r.Remotes {
		for _, p := range m.Peers {
			state := "in sync"
			switch {
			case m.OutOfSync:
				state = "out of sync for " + age(m.Since, now).String()
			case !r.Sync:
				state = "not kept in sync"
			}
			presence := "offline"
			if p.Online {
				presence = "online"
			}
			line := fmt.Sprintf("%s, %s", state, presence)
			if len(p.Waiting) > 0 {
				line += ", waits: " + strings.Join(p.Waiting, ", ")
			}
			if p.Error != "" {
				line += ": " + p.Error
			}
			fmt.Fprintf(w, "sync\t%s\t%s\t%s %s\t%s\n", who(p.Label, p.Key), p.JID, r.Repository, m.Name, line)
		}
	}
	for _, u := range r.Unmerged {
		fmt.Fprintf(w, "unmerged\t%s\t%s\t%s %s\tgit merge %s\n", u.From, u.Ref, r.Repository, u.Branch, u.Ref)
	}
}

// printCounts says how many run and wait, and how many may run.
func printCounts(w io.Writer, s serve.Status) {
	count := func(runs []serve.Run, fetches bool) (n int) {
		for _, r := range runs {
			if (r.Side == "fetching") == fetches {
				n++
			}
		}
		return n
	}
	fmt.Fprintf(w, "pushes\t%d running of at most %d\t%d waiting\n", count(s.Running, false), s.Limits.Pushes, count(s.Waiting, false))
	fmt.Fprintf(w, "fetches\t%d running of at most %d\t%d waiting\n", count(s.Running, true), s.Limits.Fetches, count(s.Waiting, true))
}

// who is a peer in a word: its label, or the begin of its key.
func who(label, key string) string {
	const shown = len("SHA256:") + 12
	if label == "" {
		return key[:min(len(key), shown)]
	}
	return label
}

func age(since, now time.Time) time.Duration { return max(0, now.Sub(since)).Round(time.Second) }

// size is a number of bytes for people.
func size(n uint64) string {
	const step = 1 << 10
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n)/step, []string{"KiB", "MiB", "GiB", "TiB"}
	unit := 0
	for ; value >= step && unit < len(units)-1; unit++ {
		value /= step
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
