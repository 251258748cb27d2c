package integration

// What can be done to a branch: made, brought up, deleted.
var pushKinds = map[string]pushScene{
	"new":                     {play: pushNew},
	"update":                  {play: pushUpdate},
	"delete":                  {play: pushDelete},
	"delete-diverged":         {play: pushDeleteDiverged},
	"delete-nothing":          {play: pushDeleteNothing},
	"several":                 {play: pushSeveral},
	"several-one-refused":     {play: pushSeveralOneRefused},
	"several-one-diverged":    {play: pushSeveralOneDiverged, modes: []string{direct}},
	"same-ref-twice":          {play: pushSameRefTwice},
	"nothing":                 {play: pushNothing},
	"empty-repository":        {play: pushToEmpty},
	"clone-of-empty":          {play: pushAfterCloneOfEmpty},
	"remote-ahead":            {play: pushRemoteAhead, modes: []string{direct}},
	"diverged":                {play: pushDiverged, modes: []string{direct}},
	"without-remote-tracking": {play: pushByURL},
}

func pushNew(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "-b", "topic")
	c.alice.commit(dir, "topic")
	c.git(dir, "push", "origin", "topic")
	c.git(dir, "push", "origin", "topic")
	c.git(dir, "push", "origin", "main:same")
	c.git(dir, "push", "origin", "main:refs/heads/other", "topic:refs/heads/third")
}

func pushUpdate(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.alice.commit(dir, "one")
	c.alice.commit(dir, "two")
	c.git(dir, "push", "origin", "main~1:main")
	c.git(dir, "push")
	c.git(dir, "push")
	c.git(dir, "status", "--short", "--branch")
}

func pushDelete(c *scene) {
	c.seed("main", "topic", "second", "third", "fourth")
	dir := c.local()
	c.alice.git(dir, "branch", "--quiet", "topic", "origin/topic")
	c.git(dir, "push", "origin", "--delete", "topic") // which she has
	c.git(dir, "push", "origin", ":second")           // which she doesn't
	c.git(dir, "push", "--delete", "origin", "third", "refs/heads/fourth")
	c.git(dir, "branch", "--all")
}

// A branch of Bob's that Alice has in another state.
func pushDeleteDiverged(c *scene) {
	c.seed("main", "topic", "second")
	dir := c.local()
	for _, branch := range []string{"topic", "second"} {
		c.bobCommits(branch, "theirs")
		c.alice.git(dir, "checkout", "--quiet", branch)
		c.alice.commit(dir, "our "+branch)
	}
	c.git(dir, "push", "origin", "--delete", "topic")
	c.git(dir, "push", "origin", ":refs/heads/second", "main:topic")
}

func pushDeleteNothing(c *scene) {
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "origin", "--delete", "nothing")
	c.git(dir, "push", "origin", ":nothing", "main:new")
	c.git(dir, "push", "origin", ":refs/heads/nothing")
	c.git(dir, "push", "origin", ":refs/tags/nothing")
	c.git(dir, "push", "origin", "--delete")
}

func pushSeveral(c *scene) {
	c.seed("main", "topic", "old")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "topic")
	c.alice.commit(dir, "more")
	c.alice.git(dir, "tag", "v1")
	c.alice.git(dir, "tag", "-a", "-m", "two", "v2")
	c.git(dir, "push", "origin", "topic", "topic:new", ":old", "v1", "refs/tags/v2", "main")
}

func pushSeveralOneRefused(c *scene) {
	c.seed("main", "topic")
	c.hook(c.served, "update", "case $1 in */topic) echo not this one >&2; exit 1;; esac\n")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "topic")
	c.alice.commit(dir, "more")
	c.alice.git(dir, "tag", "topic-tag")
	c.git(dir, "push", "origin", "topic", "topic:new", "topic-tag")
	c.git(dir, "push", "--porcelain", "origin", "topic", "topic:newer")
}

func pushSeveralOneDiverged(c *scene) {
	dir := c.diverged()
	c.git(dir, "push", "origin", "main:new", "main")
	c.git(dir, "push", "--porcelain", "origin", "main:newer", "main")
}

func pushSameRefTwice(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main~1:x", "main:x")
	c.git(dir, "push", "origin", "main:x", "main:x")
}

func pushNothing(c *scene) {
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "origin", "nothing")
	c.git(dir, "push", "origin", "nothing:main")
	c.git(dir, "push", "origin", "main")
	c.git(dir, "push", "--tags")
	c.git(dir, "push", "nowhere", "main")
}

func pushToEmpty(c *scene) {
	c.alice.git(c.dir, "init", "--quiet", "repo")
	dir := c.dir + "/repo"
	c.git(dir, "push", c.url, "main")
	c.alice.commit(dir, "one")
	c.alice.git(dir, "remote", "add", "origin", c.url)
	c.git(dir, "push", "--delete", "origin", "main")
	c.git(dir, "push", "--all", "--dry-run", "origin")
	c.git(dir, "push", "--set-upstream", "origin", "main")
}

func pushAfterCloneOfEmpty(c *scene) {
	dir := c.clone()
	c.git(dir, "push", "origin", "main")
	c.git(dir, "push")
	c.alice.commit(dir, "one")
	c.git(dir, "push")
	c.alice.commit(dir, "two")
	c.git(dir, "push", "origin", "HEAD")
	c.git(dir, "fetch")
}

func pushRemoteAhead(c *scene) {
	c.seed("main")
	dir := c.local()
	c.bobCommits("main", "theirs")
	c.git(dir, "push", "origin", "main")
	c.fetched(dir)
	c.git(dir, "push", "origin", "main")
	c.alice.git(dir, "merge", "--quiet", "--ff-only", "origin/main")
	c.git(dir, "push", "origin", "main")
	c.git(dir, "push", "origin", "main~1:main")
}

func pushDiverged(c *scene) {
	dir := c.diverged()
	c.git(dir, "push", "origin", "main")
	c.fetched(dir)
	c.git(dir, "push")
	c.alice.git(dir, "merge", "--quiet", "--no-edit", "origin/main")
	c.git(dir, "push")
}

func pushByURL(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.alice.git(dir, "remote", "remove", "origin")
	c.alice.commit(dir, "more")
	c.git(dir, "push", c.url, "main", ":topic", "main:new")
	c.git(dir, "push", c.url)
	c.git(dir, "push", "--repo="+c.url)
	c.git(dir, "branch", "--all")
}
