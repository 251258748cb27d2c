package peers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"git-remote-xmpp/internal/statefile"
)

// maxClonesPerKey is how many clones of one of our machines are noted.
const maxClonesPerKey = 256

// A Clone says that a peer's repository and one here are used with each other.
type Clone struct {
	Client     string `json:"client"`         // UUID of the peer's
	Repository string `json:"repository"`     // UUID of ours
	Came       bool   `json:"came,omitempty"` // the peer's fetched from ours, or pushed to it
	Went       bool   `json:"went,omitempty"` // ours fetched from the peer's, or pushed to it
}

// NoteCame notes that a repository of a peer at the account, ours, fetched from
// one here, or pushed to it. Of peers elsewhere nothing is noted.
func (s *Store) NoteCame(ctx context.Context, key Key, account, clientUUID, repoUUID string) error {
	return s.noteClone(ctx, key, account, Clone{Client: clientUUID, Repository: repoUUID, Came: true})
}

// NoteWent notes the same the other way round: ours did.
func (s *Store) NoteWent(ctx context.Context, key Key, account, clientUUID, repoUUID string) error {
	return s.noteClone(ctx, key, account, Clone{Client: clientUUID, Repository: repoUUID, Went: true})
}

func (s *Store) noteClone(ctx context.Context, key Key, account string, c Clone) (err error) {
	if c.Client, err = canonicalUUID(c.Client); err != nil {
		return err
	}
	if c.Repository, err = canonicalUUID(c.Repository); err != nil {
		return err
	}
	list, err := s.peers.Read()
	if err != nil {
		return err
	}
	known := list.find(key)
	if known == nil {
		return ErrUnknownPeer
	}
	p := known.clone()
	if err := p.noteClone(account, c); err != nil {
		return unlessUnchanged(err)
	}
	return s.notePeer(ctx, key, func(p *Peer) error { return p.noteClone(account, c) })
}

func unlessUnchanged(err error) error {
	if errors.Is(err, statefile.ErrUnchanged) {
		return nil
	}
	return err
}

func (p *Peer) noteClone(account string, c Clone) error {
	if !p.known() || !slices.Contains(p.Addresses, account) {
		return statefile.ErrUnchanged
	}
	i := slices.IndexFunc(p.Clones, func(o Clone) bool { return o.Client == c.Client && o.Repository == c.Repository })
	switch {
	case i < 0 && len(p.Clones) >= maxClonesPerKey:
		return fmt.Errorf("%w clones of one machine: %d", ErrTooMany, maxClonesPerKey)
	case i < 0:
		p.Clones = append(p.Clones, c)
		return nil
	}
	c.Came, c.Went = c.Came || p.Clones[i].Came, c.Went || p.Clones[i].Went
	if p.Clones[i] == c {
		return statefile.ErrUnchanged
	}
	p.Clones[i] = c
	return nil
}

// ToVouch returns the other machines of the account, ours, that a peer is to be
// told of: none if it may do nothing here and isn't pinned either.
func (s *Store) ToVouch(account string, to Key) ([]Vouched, error) {
	list, err := s.peers.Read()
	if err != nil {
		return nil, err
	}
	if p := list.find(to); p == nil || !list.mayHear(p) {
		return nil, nil
	}
	var said []Vouched
	for _, p := range list.Peers {
		if p.Key != to && p.Resource != "" && p.isSibling(account) && len(said) < maxVouchedPerKey {
			said = append(said, Vouched{Key: p.Key, Resource: p.Resource, Label: p.Label})
		}
	}
	return said, nil
}

func (l *peerList) mayHear(p *Peer) bool {
	view := l.view(p)
	if view.Pinned {
		return true
	}
	for _, a := range view.Access {
		if a >= Read {
			return true
		}
	}
	return false
}

// ToShare returns what another machine of the account, ours, is to be told of
// our peers: at which addresses we expect whom, and which of them may do what
// with a repository here of which it has a clone. That is one where each was
// used with the other: a repository there that only has one of ours as a remote
// may hold much else. One that was used with several here is for those who may
// use them all. Who may write to some refs only is shared as one who may read.
func (s *Store) ToShare(account string, to Key) ([]Vouched, error) {
	list, err := s.peers.Read()
	if err != nil {
		return nil, err
	}
	machine := list.find(to)
	if machine == nil || !machine.isSibling(account) {
		return nil, nil
	}
	projects := machine.projects()
	var said []Vouched
	for i := range list.Peers {
		p := &list.Peers[i]
		if p.Key != to && !slices.Contains(p.PinnedAddresses, account) {
			said = append(said, p.shared(projects)...)
		}
	}
	return said[:min(len(said), maxSharedPerKey)], nil
}

// shared is what a machine of ours that has these projects is told of a peer.
func (p *Peer) shared(projects []project) (said []Vouched) {
	v := Vouched{Key: p.Key, Address: p.reachable(), Resource: p.Resource, Label: p.Label}
	v.Pinned = len(p.PinnedAddresses) > 0 && p.Resource != ""
	if v.Address == "" {
		return nil
	}
	for _, project := range projects {
		if v.Access = project.access(p); v.Access >= Read {
			v.Repository = project.client
			said = append(said, v)
		}
	}
	if len(said) == 0 && v.Pinned {
		return []Vouched{v}
	}
	return said
}

// reachable is an address of a peer's: one that was pinned, or else the newest.
func (p *Peer) reachable() string {
	switch {
	case len(p.PinnedAddresses) > 0:
		return p.PinnedAddresses[0]
	case len(p.Addresses) > 0:
		return p.Addresses[len(p.Addresses)-1]
	}
	return ""
}

// A project is a repository of another machine's and those here that it was used with.
type project struct {
	client       string
	repositories []string
	mutual       bool // and one of these with it
}

// access is the least of what a peer was granted of a project's repositories.
// Where that is write to some refs, read is what can be said of it.
func (j project) access(p *Peer) Access {
	least := Write
	for _, id := range j.repositories {
		right := p.granted(id)
		if !right.Refs.All() {
			right.Access = Read
		}
		least = min(least, right.Access)
	}
	return least
}

// projects are those of a machine that are projects here, and that it may use here itself.
func (p *Peer) projects() []project {
	var list []project
	for _, c := range p.Clones {
		if !c.Came {
			continue
		}
		i := slices.IndexFunc(list, func(j project) bool { return j.client == c.Client })
		if i < 0 {
			i, list = len(list), append(list, project{client: c.Client})
		}
		list[i].repositories = append(list[i].repositories, c.Repository)
		list[i].mutual = list[i].mutual || c.Went
	}
	return slices.DeleteFunc(list, func(j project) bool { return !j.mutual || j.access(p) < Read })
}
