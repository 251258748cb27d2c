package integration

// Pushes that overwrite, and those that look before they do. A force that is asked for is honoured in both modes.
var pushForce = map[string]pushScene{
	"force":                   {play: forceMain},
	"plus":                    {play: forcePlus},
	"plus-in-config":          {play: forceInConfig},
	"delete":                  {play: forceDelete},
	"nothing-to-force":        {play: forceNothing},
	"back":                    {play: forceBack},
	"not-a-commit":            {play: forceNoCommit, ownWords: true},
	"deny-non-fast-forwards":  {play: forceMain, options: sceneOptions{config: map[string]string{"receive.denyNonFastForwards": "true"}}, modes: []string{direct}},
	"lease":                   {play: leaseBare},
	"lease-of-a-ref":          {play: leaseOfRef},
	"lease-of-a-value":        {play: leaseOfValue},
	"lease-of-nothing":        {play: leaseOfNothing},
	"lease-without-tracking":  {play: leaseWithoutTracking},
	"lease-on-delete":         {play: leaseOnDelete},
	"lease-on-a-fast-forward": {play: leaseOnFastForward},
	"if-includes":             {play: forceIfIncludes},
}

func forceMain(c *scene) {
	dir := c.diverged()
	c.git(dir, "push", "--force", "origin", "main")
	c.bobCommits("main", "again")
	c.git(dir, "push", "-f")
}

// One is forced, the other is a fast-forward.
func forcePlus(c *scene) {
	dir := c.diverged()
	c.alice.git(dir, "branch", "topic")
	c.git(dir, "push", "origin", "+main", "topic")
	c.bobCommits("main", "again")
	c.bobCommits("topic", "more")
	c.git(dir, "push", "--porcelain", "origin", "+refs/heads/*:refs/heads/*")
	c.bobCommits("main", "once more")
	c.git(dir, "push", "origin", "+HEAD:main", "+HEAD:new")
}

func forceInConfig(c *scene) {
	dir := c.diverged()
	c.alice.git(dir, "config", "remote.origin.push", "+refs/heads/*:refs/heads/*")
	c.git(dir, "push")
	c.bobCommits("main", "again")
	c.git(dir, "push", "origin")
}

func forceDelete(c *scene) {
	dir := c.diverged()
	c.bob.git(c.served, "branch", "topic")
	c.git(dir, "push", "--force", "origin", ":topic", "main")
	c.bob.git(c.served, "branch", "topic")
	c.git(dir, "push", "origin", "+:topic")
}

func forceNothing(c *scene) {
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "--force", "origin", "main")
	c.alice.commit(dir, "more")
	c.git(dir, "push", "--force", "origin", "main", "main:new")
}

// To where the branch was before, and to something else altogether.
func forceBack(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.git(dir, "push", "--force", "origin", "main:topic")
	c.alice.git(dir, "checkout", "--quiet", "--orphan", "other")
	c.alice.commit(dir, "unrelated")
	c.git(dir, "push", "origin", "+other:topic")
}

func forceNoCommit(c *scene) {
	c.seed("main")
	dir := c.local()
	mustSay(c.T, c.git(dir, "push", "--force", "origin", "main^{tree}:refs/heads/main").stderr, "commit")
	c.git(dir, "push", "--force", "origin", "main^{tree}:refs/heads/new")
	c.alice.git(dir, "tag", "-a", "-m", "one", "v1")
	c.git(dir, "push", "--force", "origin", "v1:refs/heads/tagged")
}

func leaseBare(c *scene) {
	dir := c.diverged()
	c.git(dir, "push", "--force-with-lease", "origin", "main") // she hasn't seen Bob's commit
	c.fetched(dir)
	c.git(dir, "push", "--force-with-lease", "origin", "main", "main:new")
	c.bobCommits("main", "again")
	c.git(dir, "push", "--force-with-lease")
}

func leaseOfRef(c *scene) {
	dir := c.diverged()
	c.alice.git(dir, "branch", "topic")
	c.git(dir, "push", "--force-with-lease=main", "origin", "main", "topic")
	c.fetched(dir)
	c.git(dir, "push", "--porcelain", "--force-with-lease=refs/heads/main", "origin", "main:main", "topic")
	c.bobCommits("topic", "again")
	c.git(dir, "push", "--force-with-lease=topic", "--no-force-with-lease", "--force", "origin", "topic:topic")
}

func leaseOfValue(c *scene) {
	c.seed("main")
	dir := c.local()
	before := c.alice.git(dir, "rev-parse", "main")
	theirs := c.bobCommits("main", "theirs")
	c.alice.commit(dir, "ours")
	c.git(dir, "push", "--force-with-lease=main:"+before, "origin", "main")
	c.git(dir, "push", "--force-with-lease=main:"+theirs, "origin", "main")
	c.bobCommits("main", "again")
	c.fetched(dir)
	c.git(dir, "push", "--force-with-lease=main:origin/main", "origin", "main:main")
	c.git(dir, "push", "--force-with-lease=main:no-such-thing", "origin", "main")
}

// A lease that says that the branch isn't there.
func leaseOfNothing(c *scene) {
	dir := c.diverged()
	c.git(dir, "push", "--force-with-lease=main:", "origin", "main")
	c.git(dir, "push", "--force-with-lease=new:", "origin", "main:new")
	c.git(dir, "push", "--force-with-lease=other:main", "origin", "main:other")
}

func leaseWithoutTracking(c *scene) {
	dir := c.diverged()
	c.alice.git(dir, "update-ref", "-d", "refs/remotes/origin/main")
	c.git(dir, "push", "--force-with-lease", "origin", "main")
	c.git(dir, "push", "--force-with-lease", c.url, "main")
}

func leaseOnDelete(c *scene) {
	dir := c.diverged()
	c.bob.git(c.served, "config", "receive.denyDeleteCurrent", "ignore")
	c.git(dir, "push", "--force-with-lease", "origin", ":main")
	c.fetched(dir)
	c.git(dir, "push", "--force-with-lease", "origin", ":main")
}

func leaseOnFastForward(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "--force-with-lease=main:main", "origin", "main")
	c.git(dir, "push", "--force-with-lease", "origin", "main")
	c.git(dir, "push", "--force-with-lease=main:main~1", "origin", "main")
}

// The lease is right, but what was fetched has never been looked at.
func forceIfIncludes(c *scene) {
	dir := c.diverged()
	c.fetched(dir)
	c.git(dir, "push", "--force-with-lease", "--force-if-includes", "origin", "main")
	c.git(dir, "-c", "push.useForceIfIncludes=true", "push", "--force-with-lease=main", "origin", "main")
	c.alice.git(dir, "merge", "--quiet", "--no-edit", "origin/main")
	c.alice.git(dir, "reset", "--quiet", "--hard", "HEAD~1") // looked at, and done without
	c.git(dir, "push", "--force-with-lease", "--force-if-includes", "origin", "main")
	c.git(dir, "push", "--force-if-includes", "origin", "main")
}
