package syncer

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// A Status is how far one repository is in step with its remotes, as scripts see it.
type Status struct {
	Repository string   `json:"repository"`
	UUID       string   `json:"uuid"`
	Sync       bool     `json:"sync"` // xmpp.sync
	Remotes    []Remote `json:"remotes"`
	// Unmerged are the fallback refs that hold what their branches don't.
	Unmerged []Unmerged `json:"unmerged"`
}

// A Remote is a remote, or the address of clones that announced themselves.
type Remote struct {
	Name      string    `json:"name"`
	OutOfSync bool      `json:"outOfSync"`
	Since     time.Time `json:"since,omitzero"` // of that
	Peers     []Peer    `json:"peers"`
}

// A Peer is one behind a remote.
type Peer struct {
	JID    string `json:"jid"` // full
	Key    string `json:"key"` // fingerprint
	Label  string `json:"label"`
	Client string `json:"client"` // UUID of the repository there, if it is known
	Online bool   `json:"online"`
	// Waiting says what is to be done as soon as it can: offer, ask, push.
	Waiting []string `json:"waiting"`
	Error   string   `json:"error,omitempty"` // of the last attempt
}

// Unmerged is a fallback ref.
type Unmerged struct {
	Ref    string `json:"ref"`
	Branch string `json:"branch"`
	From   string `json:"from"` // label or address of who pushed it, or UUID of the repository that it came from
	ID     string `json:"id"`
}

// Status says how far the repositories are in step: those that are kept so, and those that others have cloned. It may be asked at any time.
func (s *Syncer) Status(ctx context.Context) []Status {
	s.mu.Lock()
	list := make([]Status, 0, len(s.repos))
	var repos []*repository
	for _, r := range s.repos {
		if r.Settings.Sync || len(r.links) > 0 {
			list = append(list, s.statusLocked(r))
			repos = append(repos, r)
		}
	}
	s.mu.Unlock()
	for i, r := range repos {
		list[i].Unmerged = s.unmerged(ctx, r)
	}
	slices.SortFunc(list, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.UUID, b.UUID))
	})
	return list
}

func (s *Syncer) statusLocked(r *repository) Status {
	status := Status{Repository: r.Name, UUID: r.UUID, Sync: r.Settings.Sync, Remotes: []Remote{}}
	names := make(map[string]int)
	for _, l := range r.links {
		for _, name := range l.remotes {
			at, ok := names[name]
			if !ok {
				at = len(status.Remotes)
				names[name] = at
				since, out := r.out[name]
				status.Remotes = append(status.Remotes, Remote{Name: name, OutOfSync: out, Since: since, Peers: []Peer{}})
			}
			status.Remotes[at].Peers = append(status.Remotes[at].Peers, s.peerLocked(l))
		}
	}
	slices.SortFunc(status.Remotes, func(a, b Remote) int { return cmp.Compare(a.Name, b.Name) })
	for _, m := range status.Remotes {
		slices.SortFunc(m.Peers, func(a, b Peer) int { return cmp.Or(cmp.Compare(a.JID, b.JID), cmp.Compare(a.Client, b.Client)) })
	}
	return status
}

func (s *Syncer) peerLocked(l *link) Peer {
	p := Peer{JID: l.to.String(), Key: l.key.String(), Label: l.label, Client: l.client, Online: s.online[l.to.String()], Waiting: []string{}}
	for what, yes := range map[string]bool{"ask": l.todo.ask, "offer": l.todo.offer, "push": len(l.todo.push) > 0} {
		if yes {
			p.Waiting = append(p.Waiting, what)
		}
	}
	slices.Sort(p.Waiting)
	if l.failure != nil {
		p.Error = l.failure.Error()
	}
	return p
}

func (s *Syncer) unmerged(ctx context.Context, r *repository) []Unmerged {
	found, err := r.Repo.Unmerged(ctx)
	if err != nil {
		s.cfg.Log.Warn("fallback refs not read", "repository", r.Name, "err", err)
	}
	list := make([]Unmerged, 0, len(found))
	for _, f := range found {
		from := f.Origin
		if sender, _, _ := s.sender(r, f.Client); from == "" {
			from = sender.Label
		}
		list = append(list, Unmerged{Ref: f.Ref, Branch: f.Branch, From: cmp.Or(from, f.Client), ID: f.ID})
	}
	return list
}
