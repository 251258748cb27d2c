package repo

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	// turnFile is the lock for a push's turn. It stays in the git dir; the lock ends with its process.
	turnFile = "xmpp-turn"
	// turnWait is how long a push waits for its turn, and turnPause how long before it looks again.
	turnWait  = time.Minute
	turnPause = 20 * time.Millisecond
)

// errMoved says that a branch isn't what a plan was made for any more.
var errMoved = errors.New("the branch has moved")

// takeTurn waits until no other push in fallback mode looks at work trees or changes them, and refs with them:
// half of a checkout would look like changes of the owner's, and git waits for a ref's lock for a moment only.
// It goes on without after turnWait, or where files can't be locked: then a push may end up in the fallback ref
// that needn't.
func (r *receiver) takeTurn(ctx context.Context) (done func()) {
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	lock := flock.New(filepath.Join(r.repo.Dir, turnFile))
	_, _ = lock.TryLockContext(ctx, turnPause)
	return func() { _ = lock.Close() } // of no effect if it isn't held
}
