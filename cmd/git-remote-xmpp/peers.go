package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/statusview"
	"github.com/spf13/pflag"
)

func peersCommand(ctx context.Context, std stdio, args []string) error {
	var asJSON bool
	var change peerChange
	rest, err := parseFlags("peers", std, args, func(flags *pflag.FlagSet) {
		flags.BoolVar(&asJSON, "json", false, "print JSON")
		flags.StringVar(&change.access, "access", "", "with set: read, write or none")
		flags.Func("refs", "with set and --access write: "+refsUsage+"; empty: all", func(text string) error {
			change.refs = &text
			return nil
		})
		flags.Func("label", "with set: what to call it here", func(text string) error { change.label = &text; return nil })
	})
	if err != nil {
		return err
	}
	s, err := load(ctx, std)
	if err != nil {
		return err
	}
	defer s.close()
	switch {
	case len(rest) > 0 && rest[0] == "set":
		return s.setPeer(ctx, std, rest[1:], change)
	case change.any():
		return usagef("peers: --access, --refs and --label go with set")
	case len(rest) > 0 && rest[0] == "remove":
		return s.removePeer(ctx, rest[1:])
	case len(rest) > 1:
		return usagef("peers: one repository at a time")
	}
	return s.listPeers(ctx, std, rest, asJSON)
}

// peerView is a peer as scripts see it.
type peerView struct {
	Key       string                  `json:"key"` // fingerprint
	Label     string                  `json:"label"`
	Addresses []string                `json:"addresses"`
	Pinned    bool                    `json:"pinned"`
	VouchedBy []string                `json:"vouchedBy"` // fingerprints of who says that it is another machine of theirs, or of a peer of ours
	Access    map[string]peers.Access `json:"access"`    // by repository UUID
	Refs      map[string][]string     `json:"refs"`      // patterns of those that it may change, where it may write, but not to all
	Clients   []string                `json:"clients"`
	Serves    []string                `json:"serves"` // UUIDs of repositories there that we have reached
	LastSeen  time.Time               `json:"lastSeen,omitzero"`
}

// inviteView is an open invite as scripts see it.
type inviteView struct {
	Repository string       `json:"repository"`
	UUID       string       `json:"uuid"`
	Access     peers.Access `json:"access"`
	Label      string       `json:"label"`
	Expires    time.Time    `json:"expires"`
}

func (s *setup) listPeers(ctx context.Context, std stdio, repository []string, asJSON bool) error {
	list, err := s.store.List()
	if err != nil {
		return err
	}
	invites, err := s.store.Invites()
	if err != nil {
		return err
	}
	invites = slices.DeleteFunc(invites, func(i peers.Invite) bool { return i.State(time.Now()) != peers.InviteOpen })
	if len(repository) == 1 {
		id, err := repositoryID(ctx, repository[0])
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(p peers.Peer) bool { _, has := p.Access[id]; return !has })
		invites = slices.DeleteFunc(invites, func(i peers.Invite) bool { return i.RepoUUID != id })
	}
	if asJSON {
		return printPeersJSON(std, s.identity.Key, list, invites)
	}
	return printPeers(std, s.identity.Key, list, invites)
}

func printPeersJSON(std stdio, self peers.Key, list []peers.Peer, invites []peers.Invite) error {
	view := struct {
		Key     string       `json:"key"`
		Peers   []peerView   `json:"peers"`
		Invites []inviteView `json:"invites"`
	}{Key: self.String(), Peers: []peerView{}, Invites: []inviteView{}}
	for _, p := range list {
		vouchedBy := []string{}
		for _, by := range p.VouchedBy {
			vouchedBy = append(vouchedBy, by.String())
		}
		refs := make(map[string][]string)
		for id, patterns := range p.Refs {
			refs[id] = patterns
		}
		view.Peers = append(view.Peers, peerView{
			Key: p.Key.String(), Label: p.Label, Addresses: p.Addresses, Pinned: p.Pinned, VouchedBy: vouchedBy, Access: p.Access, Refs: refs,
			Clients: p.UUIDs, Serves: p.Serves, LastSeen: p.LastSeen,
		})
	}
	for _, i := range invites {
		view.Invites = append(view.Invites, inviteView{i.RepoName, i.RepoUUID, i.Access, i.Label, i.Expires})
	}
	encoder := json.NewEncoder(std.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(view)
}

func printPeers(std stdio, self peers.Key, list []peers.Peer, invites []peers.Invite) error {
	w := tabwriter.NewWriter(std.out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "this installation:\t%s\n", self)
	for _, p := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Key, p.Label, strings.Join(p.Addresses, ","), accessText(p, list))
	}
	for _, i := range invites {
		fmt.Fprintf(w, "open invite\t%s\t%s %s\tuntil %s\n", i.Label, i.Access, i.RepoName, i.Expires.Local().Format(time.DateTime))
	}
	return w.Flush()
}

// vouchers are those who brought a peer here.
func vouchers(p peers.Peer, list []peers.Peer) string {
	var names []string
	for _, by := range p.VouchedBy {
		label := ""
		if i := slices.IndexFunc(list, func(p peers.Peer) bool { return p.Key == by }); i >= 0 {
			label = list[i].Label
		}
		names = append(names, statusview.Who(label, by.String()))
	}
	return strings.Join(names, " and ")
}

// accessText is what a peer may do here, whether we connect to it, and who brought it here.
func accessText(p peers.Peer, list []peers.Peer) string {
	count, limited := make(map[peers.Access]int), make(map[string]int)
	for id, a := range p.Access {
		if refs := p.Refs[id]; !refs.All() {
			limited[refs.String()]++
		} else {
			count[a]++
		}
	}
	var parts []string
	for _, a := range []peers.Access{peers.Write, peers.Read, peers.None} {
		if n := count[a]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", a, n))
		}
		if a == peers.Write {
			for _, refs := range slices.Sorted(maps.Keys(limited)) {
				parts = append(parts, fmt.Sprintf("write to %s: %d", refs, limited[refs]))
			}
		}
	}
	if p.Pinned {
		parts = append(parts, "pinned")
	}
	if n := len(p.Serves); n > 0 {
		parts = append(parts, fmt.Sprintf("serves: %d", n))
	}
	if len(p.VouchedBy) > 0 {
		parts = append(parts, "vouched for by "+vouchers(p, list))
	}
	return strings.Join(parts, ", ")
}
