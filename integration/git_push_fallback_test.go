package integration

import (
	"fmt"
	"path/filepath"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// What is its own way in fallback mode: a push is never refused because of divergence.
func TestGitPushFallback(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	for name, s := range map[string]struct {
		play    func(c *scene)
		options sceneOptions
	}{
		"diverged":                    {play: divertDiverged},
		"diverged-and-fetched":        {play: divertFetched},
		"all-kinds-of-refspecs":       {play: divertRefspecs},
		"remote-ahead":                {play: divertRemoteAhead},
		"again-and-again":             {play: divertAgain},
		"other-name":                  {play: divertOtherName},
		"other-name-both-diverged":    {play: divertOtherNameDiverged},
		"one-of-several":              {play: divertOneOfSeveral},
		"atomic":                      {play: divertAtomic},
		"locked":                      {play: divertLocked},
		"dry-run":                     {play: divertDryRun},
		"set-upstream":                {play: divertSetUpstream},
		"signed":                      {play: divertSigned, options: certNonce},
		"hooks":                       {play: divertHooks},
		"hook-refuses":                {play: divertHookRefuses},
		"hook-cannot-run":             {play: divertHookBroken},
		"reference-transaction-stops": {play: divertTransactionStops},
		"mirror":                      {play: divertMirror},
		"delete-fallback-ref":         {play: divertDeleteRef},
		"two-pushers":                 {play: divertTwoPushers},
		"forced-and-denied":           {play: divertForcedDenied, options: sceneOptions{config: map[string]string{"receive.denyNonFastForwards": "true"}}},
		"unrelated":                   {play: divertUnrelated},
		"work-tree":                   {play: divertWorkTree, options: sceneOptions{init: []string{workTree}}},
		"push-to-checkout":            {play: divertPushToCheckout, options: sceneOptions{init: []string{workTree}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.play(t, "xmpp", s.options, func(c *scene) {
				s.play(c)
				c.bob.git(c.served, "fsck", "--strict")
			})
		})
	}
}

// Options of a push arrive though the repository doesn't set receive.advertisePushOptions: by a path and over ssh they
// are refused then.
func TestGitPushOptionsUnasked(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	play := func(c *scene) {
		c.hook(c.served, "post-receive", "echo option $GIT_PUSH_OPTION_0\n")
		c.seed("main")
		dir := c.local()
		r := c.git(dir, "push", "-o", "it", "origin", "main:new")
		if c.over == "path" || c.bob.try(c.served, "git", "config", "xmpp.pushMode").stdout == direct+"\n" {
			mustSay(c.T, r.stderr, "fatal: the receiving end does not support push options")
			return
		}
		c.expect(r, 0, "remote: option it", " * [new branch]      main -> new")
	}
	w.play(t, "path", sceneOptions{}, play)
	for _, mode := range []string{direct, fallback} {
		t.Run(mode, func(t *testing.T) { w.play(t, "xmpp", sceneOptions{}.in(mode), play) })
	}
}

// expect fails the test unless a command ended with a status and said what is wanted on one of its outputs.
func (c *scene) expect(r result, status int, wanted ...string) {
	c.Helper()
	if r.status != status {
		c.Errorf("ended with %v", r)
	}
	mustSay(c.T, r.stdout+r.stderr, wanted...)
}

func (c *scene) head(dir, rev string) string { return c.alice.git(dir, "rev-parse", rev) }

func divertDiverged(c *scene) {
	dir := c.diverged()
	theirs, tracking := c.value("main"), c.head(dir, "origin/main")
	r := c.git(dir, "push", "origin", "main")
	ref := c.fallbackRef(dir, "main")
	c.expect(r, 0, " * [new reference]   main -> "+ref)
	c.holds("main", theirs, ref, c.head(dir, "main"))
	if got := c.head(dir, "origin/main"); got != tracking {
		c.Errorf("origin/main is %s: it says what Bob's main isn't", got)
	}
	r = c.git(dir, "push", "--porcelain", "origin", "main:other", "main")
	c.expect(r, 0, "*\trefs/heads/main:refs/heads/other\t[new branch]", "refs/heads/main:"+ref+"\t")
	if r := c.git(dir, "push", "--quiet", "origin", "main"); r.status != 0 || r.stdout+r.stderr != "" {
		c.Errorf("a quiet push: %v", r)
	}
	c.git(dir, "fetch", "--quiet")
	c.alice.git(dir, "merge", "--quiet", "--no-edit", "origin/main")
	c.expect(c.git(dir, "push"), 0, short(theirs)+".."+short(c.head(dir, "main"))+"  main -> main")
	c.holds("main", c.head(dir, "main"), ref, "")
}

func short(id string) string { return id[:7] }

// The pusher has what Bob's branch has, and hasn't merged it.
func divertFetched(c *scene) {
	dir := c.diverged()
	c.fetched(dir)
	theirs := c.value("main")
	r := c.git(dir, "push")
	ref := c.fallbackRef(dir, "main")
	c.expect(r, 0, " * [new reference]   main -> "+ref)
	c.holds("main", theirs, ref, c.head(dir, "main"))
}

// Whatever names the branch, short of a force.
func divertRefspecs(c *scene) {
	for i, args := range [][]string{
		{"origin", "HEAD"}, {"origin", "HEAD:main"}, {"origin", "@:refs/heads/main"}, {"origin", ":"}, {"--all", "origin"}, {"origin", "refs/heads/*:refs/heads/*"},
		{}, {"origin"}, {"--follow-tags"}, {"--force-if-includes", "origin", "main"}, {c.url, "main"},
	} {
		if i == 0 {
			c.diverged()
		}
		dir := filepath.Join(c.dir, "clone")
		c.alice.git(dir, "commit", "--quiet", "--amend", "--message", fmt.Sprint(i))
		theirs := c.value("main")
		c.expect(c.git(dir, append([]string{"push"}, args...)...), 0, " -> "+c.fallbackRef(dir, "main"))
		c.holds("main", theirs, c.fallbackRef(dir, "main"), c.head(dir, "main"))
	}
}

// What Bob's branch has already needs no place of its own.
func divertRemoteAhead(c *scene) {
	c.seed("main")
	dir := c.local()
	theirs := c.bobCommits("main", "theirs")
	r := c.git(dir, "push", "origin", "main")
	c.expect(r, 0)
	c.holds("main", theirs, c.fallbackRef(dir, "main"), "")
	c.fetched(dir)
	c.expect(c.git(dir, "push"), 0)
	c.holds("main", theirs, c.fallbackRef(dir, "main"), "")
	c.git(dir, "fetch", "--quiet")
	c.alice.git(dir, "merge", "--quiet", "--ff-only", "origin/main")
	c.expect(c.git(dir, "push"), 0, "Everything up-to-date")
}

// The fallback ref goes where the pusher's branch goes, backwards too.
func divertAgain(c *scene) {
	dir := c.diverged()
	theirs := c.value("main")
	c.expect(c.git(dir, "push", "origin", "main"), 0)
	ref := c.fallbackRef(dir, "main")
	first := c.head(dir, "main")
	second := c.alice.commit(dir, "second")
	c.expect(c.git(dir, "push", "origin", "main"), 0, short(first)+".."+short(second)+"  main -> "+ref)
	c.alice.git(dir, "reset", "--quiet", "--hard", "HEAD~1")
	third := c.alice.commit(dir, "third")
	c.expect(c.git(dir, "push", "origin", "main"), 0, " + "+short(second)+"..."+short(third)+" main -> "+ref+" (forced update)")
	c.holds("main", theirs, ref, third)
	c.expect(c.git(dir, "push", "origin", ":main", "main:new"), 1, "deletion of the current branch prohibited", " * [new branch]      main -> new")
	c.bob.git(c.served, "symbolic-ref", "HEAD", "refs/heads/new")
	c.expect(c.git(dir, "push", "origin", ":main"), 0, " - [deleted]         main")
	c.holds("main", "", ref, "")
}

func divertDryRun(c *scene) {
	dir := c.diverged()
	theirs := c.value("main")
	c.expect(c.git(dir, "push", "--dry-run", "origin", "main", "main:new"), 0, "main -> main", "main -> new")
	c.holds("main", theirs, "new", "", c.fallbackRef(dir, "main"), "")
}

func divertSetUpstream(c *scene) {
	dir := c.diverged()
	c.alice.git(dir, "branch", "--unset-upstream")
	c.expect(c.git(dir, "push", "--set-upstream", "origin", "main"), 0, c.fallbackRef(dir, "main"))
	if got := c.alice.git(dir, "config", "branch.main.merge"); got != "refs/heads/main" {
		c.Errorf("the upstream is %s", got)
	}
}

func divertUnrelated(c *scene) {
	c.seed("main")
	theirs := c.value("main")
	dir := filepath.Join(c.dir, "repo")
	c.alice.git(c.dir, "init", "--quiet", dir)
	c.alice.commit(dir, "unrelated")
	c.expect(c.git(dir, "push", c.url, "main"), 0, " * [new reference]   main -> "+c.fallbackRef(dir, "main"))
	c.holds("main", theirs, c.fallbackRef(dir, "main"), c.head(dir, "main"))
}
