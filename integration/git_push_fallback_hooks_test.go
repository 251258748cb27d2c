package integration

import (
	"path/filepath"
	"strings"
)

func divertSigned(c *scene) {
	c.hook(c.served, "pre-receive", certificate+"exit 0\n")
	dir := c.diverged()
	c.signer(dir, true)
	c.expect(c.git(dir, "push", "--signed", "origin", "main"), 0, "remote: pre-receive: G OK <alice@example.org>", " -> "+c.fallbackRef(dir, "main"))
	c.holds(c.fallbackRef(dir, "main"), c.head(dir, "main"))
}

// The hooks are told of what is really done.
func divertHooks(c *scene) {
	dir := c.diverged()
	seen := filepath.Join(c.dir, "seen")
	c.hook(dir, "pre-push", "cat >"+seen+"\n")
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
	c.noteFile(seen)
	mustSay(c.T, strings.Join(c.record, "\n"), c.plain("committed: "+zero+" "+ours+" "+ref), "refs/heads/main "+ours+" refs/heads/main ")
}

func divertHookRefuses(c *scene) {
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
func divertHookBroken(c *scene) {
	c.seed("main")
	dir := c.local()
	c.hook(c.served, "update", "")
	path := filepath.Join(c.served, "hooks", "update")
	c.write(path, "#!/no/such/interpreter\n")
	c.chmod(path, 0o700)
	r := c.git(dir, "push", "origin", "main:new")
	c.expect(r, 1, "remote: git-remote-xmpp: can't run the repository's own hook update: no such file or directory", "! [remote rejected] main -> new (hook declined)")
	for _, text := range []string{"panic", "goroutine", c.served} {
		if strings.Contains(r.stderr, text) {
			c.Errorf("the pusher is told %q: %v", text, r)
		}
	}
	c.holds("new", "")
}

// The hook refuses a ref and the others stay as they were asked for; by a path git gives up at the first, with exit status 128.
func divertTransactionStops(c *scene) {
	dir := c.twoBranches()
	before := c.value("bad")
	c.hook(c.served, "reference-transaction", "[ $1 = prepared ] && grep -q /bad && { echo not bad; exit 1; }\nexit 0\n")
	r := c.git(dir, "push", "origin", "bad", "good")
	c.expect(r, 1, "remote: not bad", "! [remote rejected] bad -> bad (", "aborted by", "  good -> good")
	c.holds("bad", before, "good", c.head(dir, "good"))
	c.expect(c.git(dir, "push", "--atomic", "origin", "bad", "good:new"), 1, "! [remote rejected] bad -> bad (", "aborted by", "! [remote rejected] good -> new (")
	c.holds("bad", before, "new", "")
}

// The hook's words reach the pusher, and what it doesn't take isn't lost.
func divertPushToCheckout(c *scene) {
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

// A checked-out branch moves with its files; when it has diverged nothing is touched.
func divertWorkTree(c *scene) {
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
