package integration

import "strings"

// With --atomic one bad ref fails all.
var pushAtomic = map[string]pushScene{
	"good":              {play: atomicGood},
	"update-hook":       {play: atomicUpdateHook},
	"hidden-ref":        {play: atomicHidden, options: sceneOptions{config: map[string]string{"receive.hideRefs": "refs/secret"}}},
	"lease":             {play: atomicLease},
	"deny-deletes":      {play: atomicDenyDeletes, options: sceneOptions{config: map[string]string{"receive.denyDeletes": "true"}}},
	"bad-name":          {play: atomicBadName},
	"name-in-the-way":   {play: atomicNameInTheWay, ownWords: true},
	"tag-in-the-way":    {play: atomicTag},
	"pre-receive":       {play: atomicPreReceive},
	"transaction":       {play: atomicTransaction, modes: []string{direct}},
	"locked":            {play: atomicLocked, modes: []string{direct}},
	"diverged":          {play: atomicDiverged, modes: []string{direct}},
	"checked-out":       {play: atomicCheckedOut, options: sceneOptions{init: []string{workTree}}, modes: []string{direct}},
	"not-supported":     {play: atomicNotSupported, options: sceneOptions{config: map[string]string{"receive.advertiseAtomic": "false"}}},
	"porcelain-dry-run": {play: atomicDryRun},
}

// twoBranches returns a clone of Alice's with the branches good and bad, which Bob has, too, and each a commit ahead.
func (c *scene) twoBranches() string {
	c.Helper()
	c.seed("main", "good", "bad")
	dir := c.local()
	for _, branch := range []string{"good", "bad"} {
		c.alice.git(dir, "checkout", "--quiet", branch)
		c.alice.commit(dir, "more-"+branch)
	}
	return dir
}

func atomicGood(c *scene) {
	dir := c.twoBranches()
	c.alice.git(dir, "tag", "v1")
	c.git(dir, "push", "--atomic", "origin", "good", "bad", "good:new", ":main", "v1", "good:refs/changes/1")
	c.bob.git(c.served, "symbolic-ref", "HEAD", "refs/heads/good")
	c.git(dir, "push", "--atomic", "origin", "good", "bad", ":new", ":refs/changes/1", ":main")
}

func atomicUpdateHook(c *scene) {
	c.hook(c.served, "update", "case $1 in */bad) echo no such thing; exit 1;; esac\n")
	dir := c.twoBranches()
	c.bob.git(c.served, "branch", "old", "main")
	c.git(dir, "push", "--atomic", "origin", "good", "bad", "good:new", ":old")
	c.git(dir, "push", "--porcelain", "--atomic", "origin", "bad", "good")
}

func atomicHidden(c *scene) {
	dir := c.twoBranches()
	c.git(dir, "push", "--atomic", "origin", "good", "bad:refs/secret/one")
	c.git(dir, "push", "origin", "good", "bad:refs/secret/one")
}

func atomicLease(c *scene) {
	dir := c.twoBranches()
	c.bobCommits("bad", "theirs")
	c.git(dir, "push", "--atomic", "--force-with-lease=bad", "origin", "good", "bad")
	c.git(dir, "push", "--force-with-lease=bad", "origin", "good", "bad")
}

func atomicDenyDeletes(c *scene) {
	dir := c.twoBranches()
	c.git(dir, "push", "--atomic", "origin", "good", ":bad")
}

// A name that git here lets pass, and git there doesn't.
func atomicBadName(c *scene) {
	dir := c.twoBranches()
	c.git(dir, "push", "--atomic", "origin", "good", "bad:refs/bad")
	c.git(dir, "push", "origin", "good", "bad:refs/bad")
	c.git(dir, "push", "--atomic", "origin", "good", "bad:refs/heads/a..b")
	for i, line := range c.record { // the words of newer gits
		c.record[i] = strings.Replace(line, "refusing to create funny ref", "refusing to update funny ref", 1)
	}
}

func atomicNameInTheWay(c *scene) {
	dir := c.twoBranches()
	mustSay(c.T, c.git(dir, "push", "--atomic", "origin", "good", "bad:main/deeper").stderr, "'refs/heads/main' exists")
}

func atomicTag(c *scene) {
	dir := c.twoBranches()
	c.bob.git(c.served, "tag", "v1", "main")
	c.alice.git(dir, "tag", "v1")
	c.git(dir, "push", "--atomic", "origin", "good", "v1")
	c.git(dir, "push", "--atomic", "origin", "good", "+v1")
}

func atomicPreReceive(c *scene) {
	c.hook(c.served, "pre-receive", "grep -q /bad && { echo all or nothing; exit 1; }\nexit 0\n")
	dir := c.twoBranches()
	c.git(dir, "push", "--atomic", "origin", "good", "bad")
	c.git(dir, "push", "--atomic", "origin", "good", "good:new")
}

func atomicTransaction(c *scene) {
	dir := c.twoBranches()
	c.hook(c.served, "reference-transaction", "[ $1 = prepared ] && grep -q /bad && exit 1\nexit 0\n")
	c.git(dir, "push", "--atomic", "origin", "good", "bad", "good:new")
}

// Something holds the lock of one branch.
func atomicLocked(c *scene) {
	dir := c.twoBranches()
	c.write(c.served+"/refs/heads/bad.lock", "")
	mustSay(c.T, c.git(dir, "push", "--atomic", "origin", "good", "bad").stderr, "bad.lock': File exists")
}

func atomicDiverged(c *scene) {
	dir := c.twoBranches()
	c.bobCommits("bad", "theirs")
	c.git(dir, "push", "--atomic", "origin", "good", "bad", "good:new")
	c.git(dir, "push", "--atomic", "origin", "good", "+bad")
}

func atomicCheckedOut(c *scene) {
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "--atomic", "origin", "main", "main:new")
}

func atomicNotSupported(c *scene) {
	dir := c.twoBranches()
	c.git(dir, "push", "--atomic", "origin", "good", "bad")
}

func atomicDryRun(c *scene) {
	dir := c.twoBranches()
	c.git(dir, "push", "--atomic", "--dry-run", "--porcelain", "origin", "good", "bad:new", ":main")
}
