package serve

import (
	"context"
	"sync/atomic"

	"git-remote-xmpp/internal/schedule"
	"git-remote-xmpp/protocol"
)

// A Kind is what a peer asks for.
type Kind int

// The kinds.
const (
	Push Kind = iota
	Fetch
	Archive
	LFS
	kinds
)

// String is the kind's name.
func (k Kind) String() string { return [...]string{"push", "fetch", "archive", "lfs"}[k] }

func kindOf(s protocol.Service) Kind {
	switch {
	case s.OfLFS():
		return LFS
	case s == protocol.ReceivePack:
		return Push
	case s == protocol.UploadPack:
		return Fetch
	}
	return Archive
}

// A Result is how what a peer has asked for came to its end.
type Result int

// The results.
const (
	Done      Result = iota // git ended with 0
	Failed                  // git didn't
	Cancelled               // by the peer, for want of progress, or because the connection was lost
	Refused                 // it didn't begin
	Broken                  // an error of ours
	results
)

// String is the result's name.
func (r Result) String() string {
	return [...]string{"done", "failed", "cancelled", "refused", "error"}[r]
}

// counts are how many ended how. The zero value is ready for use.
type counts [kinds][results]atomic.Uint64

func (c *counts) add(s protocol.Service, r Result) { c[kindOf(s)][r].Add(1) }

// Measures are a server's figures.
type Measures struct {
	Connections  []Connection   // that peers have made
	Running      map[string]int // of the scheduler, by side
	Waiting      map[string]int
	Ended        map[Kind]map[Result]uint64
	Repositories int // below 0: it takes too long to find out
}

// Measure says them. It may be asked at any time.
func (s *Server) Measure(ctx context.Context) Measures {
	turns, connections := s.live.look()
	m := Measures{Connections: connections, Running: map[string]int{}, Waiting: map[string]int{}, Ended: map[Kind]map[Result]uint64{}, Repositories: -1}
	for _, side := range []schedule.Side{schedule.Receiving, schedule.Sending, schedule.Fetching} {
		m.Running[side.String()], m.Waiting[side.String()] = 0, 0
	}
	if turns != nil {
		for _, r := range turns.runs() {
			if r.Before == 0 {
				m.Running[r.Side]++
			} else {
				m.Waiting[r.Side]++
			}
		}
	}
	for k := range kinds {
		m.Ended[k] = map[Result]uint64{}
		for r := range results {
			m.Ended[k][r] = s.counts[k][r].Load()
		}
	}
	if list, complete := s.repositories(ctx); complete {
		m.Repositories = len(list)
	}
	return m
}
