package peers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"git-remote-xmpp/internal/statefile"
)

// The versions of the files. 2 may limit write to some refs, which an older program would take for all.
const (
	peersVersion   = 2
	invitesVersion = 2
)

// maxNotedBytes is how large peers.json gets by what peers do and say: 768 KiB. The
// rest of what may be in a file is for what its owner decides, so that there is
// always room to shut somebody out.
const maxNotedBytes = statefile.MaxBytes / 4 * 3

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
		peers:   statefile.Document[peerList]{Path: filepath.Join(dir, "peers.json"), Version: peersVersion, Remedy: remedy},
		invites: statefile.Document[inviteList]{Path: filepath.Join(dir, "invites.json"), Version: invitesVersion, Remedy: remedy},
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

// notePeers is changePeers for what isn't decided by the owner but comes of what
// peers do and say: [ErrTooMany] if there is no room for it.
func (s *Store) notePeers(ctx context.Context, change func(*peerList) error) error {
	return s.changePeers(ctx, func(l *peerList) error {
		before, err := l.bytes()
		if err != nil {
			return err
		}
		if err := change(l); err != nil {
			return err
		}
		after, err := l.bytes()
		if err == nil && after > max(before, maxNotedBytes) {
			err = fmt.Errorf("%w notes about peers: %d bytes: remove peers that aren't needed", ErrTooMany, after)
		}
		return err
	})
}

// bytes is how long the list is on disk.
func (l *peerList) bytes() (int, error) {
	data, err := json.MarshalIndent(l, " ", " ")
	return len(data), err
}
