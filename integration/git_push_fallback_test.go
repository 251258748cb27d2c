package integration

import (
	"fmt"
	"path/filepath"
	"strings"
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
		"diverged":                    {play: fallbackDiverged},
		"diverged-and-fetched":        {play: fallbackFetched},
		"all-kinds-of-refspecs":       {play: fallbackRefspecs},
		"remote-ahead":                {play: fallbackRemoteAhead},
		"again-and-again":             {play: fallbackAgain},
		"other-name":                  {play: fallbackOtherName},
		"other-name-both-diverged":    {play: fallbackOtherNameDiverged},
		"one-of-several":              {play: fallbackOneOfSeveral},
		"atomic":                      {play: fallbackAtomic},
		"dry-run":                     {play: fallbackDryRun},
		"set-upstream":                {play: fallbackSetUpstream},
		"signed":                      {play: fallbackSigned, options: certNonce},
		"hooks":                       {play: fallbackHooks},
		"hook-refuses":                {play: fallbackHookRefuses},
		"hook-cannot-run":             {play: fallbackHookBroken},
		"reference-transaction-stops": {play: fallbackTransactionStops},
		"two-pushers":                 {play: fallbackTwoPushers},
		"forced-and-denied":           {play: fallbackForcedDenied, options: sceneOptions{config: map[string]string{"receive.denyNonFastForwards": "true"}}},
		"unrelated":                   {play: fallbackUnrelated},
		"work-tree":                   {play: fallbackWorkTree, options: sceneOptions{init: []string{workTree}}},
		"push-to-checkout":            {play: fallbackPushToCheckout, options: sceneOptions{init: []string{workTree}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.playAndClear(t, "xmpp", s.options, func(c *scene) {
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
		if c.over == "path" {
			mustSay(c.T, r.stderr, "fatal: the receiving end does not support push options")
			return
		}
		c.expect(r, 0, "remote: option it", " * [new branch]      main -> new")
	}
	w.playAndClear(t, "path", sceneOptions{}, play)
	for _, mode := range []string{direct, fallback} {
		t.Run(mode, func(t *testing.T) { w.playAndClear(t, "xmpp", sceneOptions{}.in(mode), play) })
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

func fallbackDiverged(c *scene) {
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
func fallbackFetched(c *scene) {
	dir := c.diverged()
	c.fetched(dir)
	theirs := c.value("main")
	r := c.git(dir, "push")
	ref := c.fallbackRef(dir, "main")
	c.expect(r, 0, " * [new reference]   main -> "+ref)
	c.holds("main", theirs, ref, c.head(dir, "main"))
}

// Whatever names the branch, short of a force.
func fallbackRefspecs(c *scene) {
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
func fallbackRemoteAhead(c *scene) {
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
func fallbackAgain(c *scene) {
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

// `git push origin topic:main`, where topic is ahead of Bob's main, whatever Alice's own main is.
func fallbackOtherName(c *scene) {
	for i, diverged := range []bool{false, true} {
		if i == 0 {
			c.seed("main")
			c.local()
		}
		dir := filepath.Join(c.dir, "clone")
		if diverged {
			c.bobCommits("main", "theirs")
			c.alice.git(dir, "checkout", "--quiet", "main")
			c.alice.commit(dir, "ours")
		}
		c.fetched(dir)
		before := c.value("main")
		c.alice.git(dir, "checkout", "--quiet", "-B", "topic", before)
		topic := c.alice.commit(dir, fmt.Sprintf("topic%d", i))
		c.expect(c.git(dir, "push", "origin", "topic:main"), 0, short(before)+".."+short(topic)+"  topic -> main")
		c.holds("main", topic, c.fallbackRef(dir, "main"), "")
		if got := c.head(dir, "origin/main"); got != topic {
			c.Errorf("origin/main is %s", got)
		}
	}
}

// The same where topic has diverged from Bob's main, known or not.
func fallbackOtherNameDiverged(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "-b", "topic")
	c.alice.commit(dir, "topic")
	for i, prepare := range []func(){
		func() { c.bobCommits("main", "theirs") },                         // Alice's main is behind, and she doesn't know
		func() { c.fetched(dir) },                                         // she does
		func() { c.alice.git(dir, "branch", "--force", "main", "topic") }, // main and topic are one
		func() { c.alice.git(dir, "branch", "--force", "main", "origin/main") },
	} {
		prepare()
		topic := c.alice.commit(dir, fmt.Sprintf("topic%d", i))
		theirs := c.value("main")
		r := c.git(dir, "push", "origin", "topic:main")
		ref := c.fallbackRef(dir, "main")
		c.expect(r, 0, "topic -> "+ref)
		c.holds("main", theirs, ref, topic)
	}
	c.expect(c.git(dir, "push", "origin", "topic:topic", "main:third"), 0, "topic -> topic", "main -> third")
	c.holds("topic", c.head(dir, "topic"), "third", c.head(dir, "main"))
}

func fallbackOneOfSeveral(c *scene) {
	dir := c.diverged()
	theirs := c.value("main")
	r := c.git(dir, "push", "origin", "main", "main:new", "main~1:refs/tags/v1", ":nothing")
	if r.status == 0 {
		c.Errorf("deleted what isn't there: %v", r)
	}
	c.holds("main", theirs, "new", "")
	r = c.git(dir, "push", "origin", "main", "main:new", "main~1:refs/tags/v1")
	ref := c.fallbackRef(dir, "main")
	c.expect(r, 0, " * [new reference]   main -> "+ref, " * [new branch]      main -> new", " * [new tag]         main~1 -> v1")
	c.holds("main", theirs, ref, c.head(dir, "main"), "new", c.head(dir, "main"), "v1", c.head(dir, "main~1"))
}

func fallbackAtomic(c *scene) {
	dir := c.twoBranches()
	theirs := c.bobCommits("bad", "theirs")
	r := c.git(dir, "push", "--atomic", "origin", "good", "bad", "good:new")
	ref := c.fallbackRef(dir, "bad")
	c.expect(r, 0, "  good -> good", " * [new reference]   bad -> "+ref, " * [new branch]      good -> new")
	c.holds("bad", theirs, ref, c.head(dir, "bad"), "good", c.head(dir, "good"), "new", c.head(dir, "good"))
	c.hook(c.served, "update", "[ $1 != refs/heads/newer ]\n")
	c.alice.commit(dir, "more")
	c.expect(c.git(dir, "push", "--atomic", "origin", "bad", "good:newer"), 1, "newer (hook declined)")
	c.holds("newer", "", ref, c.head(dir, "bad~1"))
}

func fallbackDryRun(c *scene) {
	dir := c.diverged()
	theirs := c.value("main")
	c.expect(c.git(dir, "push", "--dry-run", "origin", "main", "main:new"), 0, "main -> main", "main -> new")
	c.holds("main", theirs, "new", "", c.fallbackRef(dir, "main"), "")
}

func fallbackSetUpstream(c *scene) {
	dir := c.diverged()
	c.alice.git(dir, "branch", "--unset-upstream")
	c.expect(c.git(dir, "push", "--set-upstream", "origin", "main"), 0, c.fallbackRef(dir, "main"))
	if got := c.alice.git(dir, "config", "branch.main.merge"); got != "refs/heads/main" {
		c.Errorf("the upstream is %s", got)
	}
}

func fallbackSigned(c *scene) {
	c.hook(c.served, "pre-receive", certificate+"exit 0\n")
	dir := c.diverged()
	c.signer(dir, true)
	c.expect(c.git(dir, "push", "--signed", "origin", "main"), 0, "remote: pre-receive: G OK <alice@example.org>", " -> "+c.fallbackRef(dir, "main"))
	c.holds(c.fallbackRef(dir, "main"), c.head(dir, "main"))
}

// The hooks are told of what is really done.
func fallbackHooks(c *scene) {
	dir := c.diverged()
	for _, name := range []string{"update", "post-update"} {
		c.hook(c.served, name, "echo "+name+": \"$@\"\n")
	}
	c.hook(c.served, "post-receive", "echo post-receive: $(cat)\n")
	c.hook(c.served, "reference-transaction", "echo $1: $(cat) >>seen\n")
	r := c.git(dir, "push", "origin", "main")
	ref, ours := c.fallbackRef(dir, "main"), c.head(dir, "main")
	zero := strings.Repeat("0", len(ours))
	c.expect(r, 0, "remote: update: "+ref+" "+zero+" "+ours, "remote: post-receive: "+zero+" "+ours+" "+ref, "remote: post-update: refs/heads/main") // git itself tells post-update no more
	c.noteFile(filepath.Join(c.served, "seen"))
	mustSay(c.T, strings.Join(c.record, "\n"), c.plain("committed: "+zero+" "+ours+" "+ref))
}

func fallbackHookRefuses(c *scene) {
	dir := c.diverged()
	theirs := c.value("main")
	c.hook(c.served, "update", "echo not $1; exit 1\n")
	r := c.git(dir, "push", "origin", "main")
	ref := c.fallbackRef(dir, "main")
	c.expect(r, 1, "remote: not "+ref, "! [remote rejected] main -> main (hook declined)")
	c.hook(c.served, "pre-receive", "echo nothing at all; exit 1\n")
	c.expect(c.git(dir, "push", "origin", "main"), 1, "remote: nothing at all", "! [remote rejected] main -> main (pre-receive hook declined)")
	c.holds("main", theirs, ref, "")
}

// An interpreter that isn't there. The pusher is told so, without the paths of the serving side.
func fallbackHookBroken(c *scene) {
	c.seed("main")
	dir := c.local()
	c.hook(c.served, "update", "")
	path := filepath.Join(c.served, "hooks", "update")
	c.write(path, "#!/no/such/interpreter\n")
	c.chmod(path, 0o700)
	r := c.git(dir, "push", "origin", "main:new")
	c.expect(r, 1, "! [remote rejected] main -> new (")
	for _, text := range []string{"panic", "goroutine", c.served} {
		if strings.Contains(r.stderr, text) {
			c.Errorf("the pusher is told %q: %v", text, r)
		}
	}
	c.holds("new", "")
}

// The hook refuses a ref and the others stay as they were asked for; by a path git gives up at the first, with exit status 128.
func fallbackTransactionStops(c *scene) {
	dir := c.twoBranches()
	before := c.value("bad")
	c.hook(c.served, "reference-transaction", "[ $1 = prepared ] && grep -q /bad && { echo not bad; exit 1; }\nexit 0\n")
	r := c.git(dir, "push", "origin", "bad", "good")
	c.expect(r, 1, "remote: not bad", "! [remote rejected] bad -> bad (ref updates aborted by hook)", "  good -> good")
	c.holds("bad", before, "good", c.head(dir, "good"))
	c.expect(c.git(dir, "push", "--atomic", "origin", "bad", "good:new"), 1, "! [remote rejected] bad -> bad (ref updates aborted by hook)", "! [remote rejected] good -> new (")
	c.holds("bad", before, "new", "")
}

// Each has refs of its own, and doesn't see the other's.
func fallbackTwoPushers(c *scene) {
	dir := c.diverged()
	other := filepath.Join(c.dir, "other")
	c.alice.git(c.dir, "clone", "--quiet", c.url, other)
	c.bobCommits("main", "and again")
	c.alice.commit(other, "others")
	c.expect(c.git(dir, "push", "origin", "main"), 0, c.fallbackRef(dir, "main"))
	c.expect(c.git(other, "push", "origin", "main"), 0, c.fallbackRef(other, "main"))
	c.holds(c.fallbackRef(dir, "main"), c.head(dir, "main"), c.fallbackRef(other, "main"), c.head(other, "main"))
	r := c.git(other, "push", "origin", ":"+c.fallbackRef(dir, "main"))
	if r.status == 0 {
		c.Errorf("deleted what is another's: %v", r)
	}
	r = c.git(other, "push", "--force", "origin", "main:"+c.fallbackRef(dir, "main"))
	c.expect(r, 1, "! [remote rejected]")
	c.holds(c.fallbackRef(dir, "main"), c.head(dir, "main"))
}

// Even a force overwrites nothing where Bob's repository doesn't let it.
func fallbackForcedDenied(c *scene) {
	dir := c.diverged()
	theirs := c.value("main")
	r := c.git(dir, "push", "--force", "origin", "main")
	ref := c.fallbackRef(dir, "main")
	c.expect(r, 0, "main -> "+ref)
	c.holds("main", theirs, ref, c.head(dir, "main"))
	c.fetched(dir)
	c.alice.commit(dir, "more")
	c.expect(c.git(dir, "push", "--force-with-lease", "origin", "main"), 0, "main -> "+ref)
	c.holds("main", theirs, ref, c.head(dir, "main"))
}

func fallbackUnrelated(c *scene) {
	c.seed("main")
	theirs := c.value("main")
	dir := filepath.Join(c.dir, "repo")
	c.alice.git(c.dir, "init", "--quiet", dir)
	c.alice.commit(dir, "unrelated")
	c.expect(c.git(dir, "push", c.url, "main"), 0, " * [new reference]   main -> "+c.fallbackRef(dir, "main"))
	c.holds("main", theirs, c.fallbackRef(dir, "main"), c.head(dir, "main"))
}

// A checked-out branch moves with its files; when it has diverged nothing is touched.
func fallbackWorkTree(c *scene) {
	dir := c.local()
	c.alice.commit(dir, "one")
	c.expect(c.git(dir, "push", "origin", "main"), 0, "  main -> main")
	c.holds("main", c.head(dir, "main"))
	c.noteFile(filepath.Join(c.served, "one.txt"))
	mustSay(c.T, strings.Join(c.record, "\n"), "Alice one")
	theirs := c.bob.commit(c.served, "bobs")
	c.alice.commit(dir, "two")
	c.expect(c.git(dir, "push", "origin", "main"), 0, "main -> "+c.fallbackRef(dir, "main"))
	c.holds("main", theirs)
	c.expect(c.git(dir, "push", "--force", "origin", "main"), 0, " + "+short(theirs)+"..."+short(c.head(dir, "main"))+" main -> main (forced update)")
	c.holds("main", c.head(dir, "main"))
	if got := c.bob.git(c.served, "status", "--porcelain"); got != "" {
		c.Errorf("the work tree isn't clean: %s", got)
	}
}

// The hook's words reach the pusher, and what it doesn't take isn't lost.
func fallbackPushToCheckout(c *scene) {
	c.hook(c.served, "push-to-checkout", "[ -e refuse ] && { echo not now; exit 1; }\necho bringing it along; git read-tree -u -m HEAD $1\n")
	dir := c.local()
	before := c.alice.commit(dir, "one")
	c.expect(c.git(dir, "push", "origin", "main"), 0, "remote: bringing it along", "  main -> main")
	c.holds("main", before)
	c.write(filepath.Join(c.served, ".git", "refuse"), "")
	c.alice.commit(dir, "two")
	c.expect(c.git(dir, "push", "origin", "main"), 0, "remote: not now", "main -> "+c.fallbackRef(dir, "main"))
	c.holds("main", before, c.fallbackRef(dir, "main"), c.head(dir, "main"))
}
