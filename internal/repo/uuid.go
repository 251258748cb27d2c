package repo

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"
)

const (
	uuidKey = "xmpp.uuid"
	// uuidAttempts times uuidPause is how long another process may hold the
	// lock of the configuration file before we give up.
	uuidAttempts = 100
	uuidPause    = 20 * time.Millisecond
)

// UUID returns the repository's UUID, in lower case. It is kept as xmpp.uuid in
// the repository's own configuration and made at the first call.
//
// Processes that call it at once agree: each that finds none appends one, and
// the first in the file counts; whoever finds another's before its own takes
// its own away again.
func (r *Repo) UUID(ctx context.Context) (string, error) {
	mine := uuid.NewString()
	var added error
	for range uuidAttempts {
		first, err := r.firstUUID(ctx)
		if err != nil {
			return "", err
		}
		if first != "" {
			return first, nil
		}
		if _, added = r.git(ctx, nil, "config", "--local", "--add", uuidKey, mine); added == nil {
			return r.settleUUID(ctx, mine)
		}
		if err := pauseForUUID(ctx); err != nil { // somebody holds config.lock, perhaps to write a UUID
			return "", err
		}
	}
	return "", added
}

func pauseForUUID(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(uuidPause):
		return nil
	}
}

// settleUUID returns the UUID that counts, and removes ours if it is another.
func (r *Repo) settleUUID(ctx context.Context, mine string) (string, error) {
	first, err := r.firstUUID(ctx)
	if err != nil || first == mine {
		return first, err
	}
	for range uuidAttempts {
		_, err := r.git(ctx, nil, "config", "--local", "--unset", uuidKey, "^"+mine+"$")
		if err == nil {
			break
		}
		if err := pauseForUUID(ctx); err != nil {
			return "", err
		}
	}
	return first, nil // a leftover would do no harm: it isn't the first, and never will be
}

// firstUUID returns the first UUID in the repository's configuration, or "".
func (r *Repo) firstUUID(ctx context.Context) (string, error) {
	return parseUUID(r.git(ctx, nil, "config", "--local", "--get-all", uuidKey))
}

// ReadUUID returns the UUID of the repository in a git dir, or "" if it has none
// yet. It makes none, and asks for no more than that the configuration can be read.
func ReadUUID(ctx context.Context, gitDir string) (string, error) {
	file := filepath.Join(gitDir, "config")
	return parseUUID(run(ctx, gitDir, Environ(), nil, "config", "--file", file, "--get-all", uuidKey))
}

// parseUUID reads git's answer; the first of several values counts.
func parseUUID(out string, err error) (string, error) {
	if exitStatus(err) == 1 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	id, err := uuid.Parse(firstLine(out))
	if err != nil {
		return "", fmt.Errorf("setting %s: %w", uuidKey, err)
	}
	return id.String(), nil
}
