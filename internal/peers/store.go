package peers

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"git-remote-xmpp/internal/statefile"
)

// remedy is what the user does about a damaged file.
const remedy = "restore it from a copy, or remove it and pair again"

// Store is what is kept on disk about peers and invites. All its methods may
// be called by any number of goroutines, and any number of processes may have
// a Store of the same folder: a change that one makes is seen by the next call
// in another. Reading costs two calls to stat as long as nothing changed.
type Store struct {
	// Self is the key of this installation: nobody can vouch for it here. It is
	// set before the Store is used, if at all.
	Self Key

	dir     string
	peers   statefile.Document[peerList]
	invites statefile.Document[inviteList]
	now     func() time.Time
}

// Open returns the store in the folder dir. It reads and makes nothing yet.
func Open(dir string) *Store {
	return &Store{
		dir:     dir,
		peers:   statefile.Document[peerList]{Path: filepath.Join(dir, "peers.json"), Remedy: remedy},
		invites: statefile.Document[inviteList]{Path: filepath.Join(dir, "invites.json"), Remedy: remedy},
		now:     func() time.Time { return time.Now().UTC().Truncate(time.Millisecond) },
	}
}

// Check reads everything and says what is wrong with it, with an error of
// package statefile. Methods that can't return an error answer as if nothing
// were known; so a program calls this when it starts.
func (s *Store) Check() error {
	_, peersErr := s.peers.Read()
	_, invitesErr := s.invites.Read()
	return cmp.Or(peersErr, invitesErr)
}

// changePeers changes the peers under the lock.
func (s *Store) changePeers(ctx context.Context, change func(*peerList) error) error {
	return statefile.Lock(ctx, s.dir, func() error { return s.peers.Update(change) })
}
