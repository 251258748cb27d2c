package repo

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// mergeTimeout is how long a merge may take.
	mergeTimeout = 5 * time.Minute
	// maxConflictNames bounds how many files in conflict the pusher is told of, and
	// maxConflictBytes their names together.
	maxConflictNames = 10
	maxConflictBytes = 500
)

// merged is target for a branch that has diverged from the pushed commit: it
// makes a merge of both, without a work tree.
func (r *receiver) merged(ctx context.Context, c command, current string) (to, why string, err error) {
	ctx, cancel := context.WithTimeout(ctx, mergeTimeout)
	defer cancel()
	tree, why, err := r.repo.mergeTrees(ctx, current, c.new)
	if why != "" || err != nil {
		return "", why, err
	}
	to, err = r.repo.commitMerge(ctx, r.sender, strings.TrimPrefix(c.ref, headsPrefix), tree, current, c.new)
	return to, "", err
}

// mergeTrees merges two commits and returns the tree, or why it can't be done, for the pusher.
func (r *Repo) mergeTrees(ctx context.Context, ours, theirs string) (tree, why string, err error) {
	out, err := r.git(ctx, nil, "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
	tree, names, _ := strings.Cut(out, "\x00")
	switch status := exitStatus(err); {
	case err == nil:
		return tree, "", nil
	case status == 1 && isObjectID(tree):
		return "", "has a conflict in " + nameList(strings.Split(strings.TrimSuffix(names, "\x00"), "\x00")), nil
	case status == 129: // it doesn't know these arguments
		return "", "can't be merged by the git there, which is older than 2.38", nil
	case status < 0:
		return "", "", err
	}
	if _, err := r.git(ctx, nil, "merge-base", ours, theirs); exitStatus(err) == 1 {
		return "", "has no history in common with your commits", nil
	}
	return "", "could not be merged with your commits", nil
}

// nameList lists names of files for the pusher, not all if they are many. Odd names are quoted.
func nameList(names []string) string {
	var list []string
	bytes := 0
	for i, name := range names {
		if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
			name = quoted
		}
		if bytes += len(name); i > 0 && (i == maxConflictNames || bytes > maxConflictBytes) {
			return fmt.Sprintf("%s and %d more", strings.Join(list, ", "), len(names)-i)
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// commitMerge commits the merge of a pushed commit into a branch. Its author is the sender, its committer is us.
func (r *Repo) commitMerge(ctx context.Context, sender Sender, branch, tree, ours, theirs string) (string, error) {
	committer, err := r.committer(ctx)
	if err != nil {
		return "", err
	}
	environ := slices.Concat(r.env, committer, []string{
		"GIT_AUTHOR_NAME=" + sender.identityName(), "GIT_AUTHOR_EMAIL=" + sender.account(),
	})
	out, err := run(ctx, r.Dir, environ, strings.NewReader(sender.mergeMessage(branch)),
		"--git-dir="+r.Dir, "-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-p", ours, "-p", theirs, tree)
	return strings.TrimSpace(out), err
}

// committer returns the variables that name a committer, none if git knows one by itself.
func (r *Repo) committer(ctx context.Context) ([]string, error) {
	_, err := r.git(ctx, nil, "var", "GIT_COMMITTER_IDENT")
	if err == nil {
		return nil, nil
	}
	if exitStatus(err) < 0 {
		return nil, err
	}
	email := ""
	if account, err := r.config(ctx, "xmpp.account"); err == nil && len(account) > 0 {
		email = account[len(account)-1]
	}
	if strings.Trim(email, identityCrud) == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			host = "localhost"
		}
		email = "git@" + host
	}
	return []string{"GIT_COMMITTER_NAME=git-remote-xmpp", "GIT_COMMITTER_EMAIL=" + email}, nil
}

// identityCrud is what git takes away from the ends of a name and an address (ident.c); of nothing else it makes no identity.
const identityCrud = " \t.,:;<>\"\\'"

// identityName is the sender's name, as git takes one.
func (s Sender) identityName() string {
	if strings.Trim(s.Label, identityCrud) != "" {
		return s.Label
	}
	return s.account()
}

// account is the sender's bare JID.
func (s Sender) account() string {
	bare, _, _ := strings.Cut(s.JID, "/")
	return bare
}

// mergeMessage says what was merged and where it came from.
func (s Sender) mergeMessage(branch string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Merge branch '%s' of %s\n\n", branch, s.account())
	for _, line := range [][2]string{{"Label", s.Label}, {"JID", s.JID}, {"UUID", s.UUID}, {"Key", s.Key}} {
		if line[1] != "" {
			fmt.Fprintf(&b, "Xmpp-Peer-%s: %s\n", line[0], line[1])
		}
	}
	return b.String()
}
