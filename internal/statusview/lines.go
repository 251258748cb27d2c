package statusview

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/syncer"
)

// WriteLines writes a short line for each connection, run and remote, in columns.
func (d Document) WriteLines(out io.Writer, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "account\t%s\t%s\n", d.JID, presence(d.Online))
	fmt.Fprintf(w, "repositories\t%s\tserved since %s\n", d.served(), d.Since.Local().Format(time.DateTime))
	fmt.Fprintf(w, "pushes\t%d running of at most %d\t%d waiting\n", count(d.Running, false), d.Limits.Pushes, count(d.Waiting, false))
	fmt.Fprintf(w, "fetches\t%d running of at most %d\t%d waiting\n", count(d.Running, true), d.Limits.Fetches, count(d.Waiting, true))
	if err := w.Flush(); err != nil { // what follows has columns of its own
		return err
	}
	for _, c := range d.Connections {
		fmt.Fprintf(w, "connection\t%s\t%s\t%s\t%s for %s, streams: %d\n", Who(c.Label, c.Key), c.JID, Path(c), c.Direction, age(c.Since, now), c.Streams)
	}
	for _, r := range d.Running {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\truns for %s: %s in, %s out\n", r.Side, Who(r.Label, r.Key), r.JID, r.Repository.Name,
			age(r.Since, now), size(r.Received), size(r.Sent))
	}
	for _, r := range d.Waiting {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\twaits for %s, before it: %d\n", r.Side, Who(r.Label, r.Key), r.JID, r.Repository.Name,
			age(r.Since, now), r.Before)
	}
	for _, r := range d.Sync {
		writeSync(w, r, now)
	}
	return w.Flush()
}

// writeSync says with whom a repository is in step, and what isn't merged.
func writeSync(w io.Writer, r syncer.Status, now time.Time) {
	for _, m := range r.Remotes {
		for _, p := range m.Peers {
			fmt.Fprintf(w, "sync\t%s\t%s\t%s %s\t%s\n", Who(p.Label, p.Key), p.JID, r.Repository, m.Name, syncText(r, m, p, now))
		}
	}
	for _, u := range r.Unmerged {
		fmt.Fprintf(w, "unmerged\t%s\t%s\t%s %s\tgit merge %s\n", u.From, u.Ref, r.Repository, u.Branch, u.Ref)
	}
}

// syncText is how far a repository is in step with one peer behind a remote.
func syncText(r syncer.Status, m syncer.Remote, p syncer.Peer, now time.Time) string {
	state := "in sync"
	switch {
	case m.OutOfSync:
		state = "out of sync for " + age(m.Since, now).String()
	case !r.Sync:
		state = "not kept in sync"
	}
	text := state + ", " + presence(p.Online)
	if len(p.Waiting) > 0 {
		text += ", waits: " + strings.Join(p.Waiting, ", ")
	}
	if p.Error != "" {
		text += ": " + p.Error
	}
	return text
}

func presence(online bool) string {
	if online {
		return "online"
	}
	return "offline"
}

// served is how many repositories there are.
func (d Document) served() string {
	if !d.Complete {
		return fmt.Sprintf("%d or more", len(d.Repositories))
	}
	return fmt.Sprint(len(d.Repositories))
}

// count is how many fetches there are among runs, or how many pushes.
func count(runs []serve.Run, fetches bool) (n int) {
	for _, r := range runs {
		if (r.Side == "fetching") == fetches {
			n++
		}
	}
	return n
}
