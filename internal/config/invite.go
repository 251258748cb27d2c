package config

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// ForgetInvite takes an invite, which is worthless now, out of the URLs of a remote in the repository's config. A remote without a name has
// none there. No git is given the invite: others on the machine can see its arguments. dir and env are those of [Load].
func ForgetInvite(ctx context.Context, dir string, env []string, remoteName string, used Remote) error {
	s, key := newSource(dir, env), "remote."+remoteName+".url"
	out, err := s.git(ctx, nil, nil, "config", "--local", "--null", "--get-all", key)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		return nil // a URL in the place of a name, which isn't a key; or no such remote, or repository
	}
	if err != nil {
		return err
	}
	for written := range strings.SplitSeq(string(out), "\x00") {
		if r, err := ParseRemote(written); err != nil || r.Invite != used.Invite {
			continue
		}
		before, _, _ := strings.Cut(written, "?")
		pattern := "^" + regexp.QuoteMeta(before) + `\?`
		if _, err := s.git(ctx, nil, nil, "config", "--local", "--replace-all", key, used.WithoutInvite().String(), pattern); err != nil {
			return fmt.Errorf("git config %s: %w", key, err)
		}
	}
	return nil
}
