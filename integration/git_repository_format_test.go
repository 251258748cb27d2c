package integration

// How a repository keeps its objects and refs.
var repositoryFormats = map[string]pushScene{
	"sha1":                {play: exchange},
	"sha256":              {play: sha256Exchange, options: sceneOptions{init: []string{"--object-format=sha256"}}},
	"sha256-diverged":     {play: divergedPush, options: sceneOptions{init: []string{"--object-format=sha256"}}, modes: []string{direct}},
	"sha256-into-sha1":    {play: sha256IntoSHA1},
	"reftable":            {play: reftableExchange},
	"reftable-diverged":   {play: reftableDiverged, modes: []string{direct}},
	"packed-refs":         {play: packedRefs},
	"repacked-in-between": {play: repackedInBetween},
	"unpack-limit":        {play: exchange, options: sceneOptions{config: map[string]string{"receive.unpackLimit": "1"}}},
	"unpack-limit-large":  {play: unpackLimit, options: sceneOptions{config: map[string]string{"receive.unpackLimit": "1000", "transfer.unpackLimit": "1"}}},
}

func sha256Exchange(c *scene) {
	exchange(c)
	c.note("%s", c.bob.git(c.served, "rev-parse", "--show-object-format"))
	c.note("%s", c.alice.git(c.dir+"/clone", "rev-parse", "--show-object-format"))
}

func divergedPush(c *scene) {
	dir := c.diverged()
	c.git(dir, "push", "origin", "main")
	c.mergeTheirs(dir)
	c.git(dir, "push", "origin", "main")
}

// mergeTheirs merges Bob's main into Alice's.
func (c *scene) mergeTheirs(dir string) {
	c.Helper()
	c.git(dir, "fetch")
	c.alice.git(dir, "merge", "--quiet", "--message=merged", "origin/main")
}

// The two formats don't go together, and git says so.
func sha256IntoSHA1(c *scene) {
	c.seed("main")
	c.alice.git(c.dir, "init", "--quiet", "--object-format=sha256", "clone")
	dir := c.dir + "/clone"
	c.alice.commit(dir, "other")
	c.gitAside(dir, "push", c.url, "main")
	c.gitAside(dir, "push", c.url, "main:new")
	c.gitAside(dir, "fetch", c.url, "main")
}

// reftable makes Bob's repository one whose refs are in a reftable, if git has it.
func (c *scene) reftable() {
	c.Helper()
	if r := c.bob.try(c.served, "git", "refs", "migrate", "--ref-format=reftable"); r.status != 0 {
		c.Skip("reftable needs git 2.46 or newer")
	}
	if got := c.bob.git(c.served, "rev-parse", "--show-ref-format"); got != "reftable" {
		c.Fatalf("the repository keeps its refs as %s", got)
	}
}

func reftableExchange(c *scene) {
	c.reftable()
	exchange(c)
}

func reftableDiverged(c *scene) {
	c.reftable()
	divergedPush(c)
}

// All refs are in one file.
func packedRefs(c *scene) {
	c.seed("main", "topic/one", "other")
	c.bob.git(c.served, "tag", "-a", "-m", "one", "v0", "main")
	c.bob.git(c.served, "pack-refs", "--all", "--prune")
	c.git(c.dir, "ls-remote", c.url)
	c.exchange()
	c.git(c.dir+"/clone", "push", "origin", ":other", ":v0")
}

// Packs that a clone has seen are gone when it pushes and fetches again.
func repackedInBetween(c *scene) {
	c.seed("main", "topic/one")
	dir := c.clone()
	for _, name := range []string{"one", "two"} {
		c.alice.commit(dir, name)
		c.git(dir, "push", "origin", "main")
		c.bob.git(c.served, "repack", "-a", "-d", "-q")
		c.bob.git(c.served, "gc", "--quiet", "--prune=now")
		c.bobCommits("topic/one", name)
		c.git(dir, "fetch")
	}
	c.note("%s", c.bob.git(c.served, "count-objects", "-v"))
}

// The objects of a small push are loose, whatever the general limit says.
func unpackLimit(c *scene) {
	exchange(c)
	c.note("%s", c.bob.git(c.served, "count-objects", "-v"))
}
