package integration

// What is pushed: tags, other refs, and refspecs of all kinds.
var pushRefs = map[string]pushScene{
	"tags":                   {play: refsTags},
	"tag-over-a-tag":         {play: refsTagOverTag},
	"tag-of-anything":        {play: refsTagOfAnything},
	"follow-tags":            {play: refsFollowTags},
	"all":                    {play: refsAll},
	"mirror":                 {play: refsMirror},
	"mirror-in-config":       {play: refsMirrorInConfig},
	"prune":                  {play: refsPrune},
	"head":                   {play: refsHead},
	"head-detached":          {play: refsDetached},
	"object-id":              {play: refsObjectID},
	"glob":                   {play: refsGlob},
	"negative":               {play: refsNegative},
	"matching":               {play: refsMatching},
	"in-config":              {play: refsInConfig},
	"other-places":           {play: refsOtherPlaces},
	"other-places-diverged":  {play: refsOtherDiverged},
	"ambiguous":              {play: refsAmbiguous},
	"source-and-destination": {play: refsOtherName},
}

func refsTags(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.alice.git(dir, "tag", "light")
	c.alice.git(dir, "tag", "-a", "-m", "one", "deep/v1")
	c.git(dir, "push", "origin", "tag", "light")
	c.git(dir, "push", "origin", "--tags")
	c.alice.git(dir, "tag", "last")
	c.git(dir, "push", "--tags", "origin", "main:new")
	c.git(dir, "push", "origin", "--delete", "light", "deep/v1")
}

// Refused without force, moved with it.
func refsTagOverTag(c *scene) {
	c.seed("main", "topic")
	c.bob.git(c.served, "tag", "v1", "main")
	c.bob.git(c.served, "tag", "-a", "-m", "theirs", "v2", "main")
	dir := c.local("--no-tags")
	c.alice.git(dir, "tag", "v1", "origin/topic")
	c.alice.git(dir, "tag", "-a", "-m", "ours", "v2")
	c.git(dir, "push", "origin", "v1", "v2", "main:new")
	c.git(dir, "push", "origin", "+v1")
	c.git(dir, "push", "--force", "origin", "v2")
	c.git(dir, "push", "--tags")
}

func refsTagOfAnything(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.git(dir, "tag", "tree", "main^{tree}")
	c.alice.git(dir, "tag", "blob", "main:main.txt")
	c.alice.git(dir, "tag", "-a", "-m", "a tag", "one")
	c.alice.git(dir, "tag", "-a", "-m", "a tag of a tag", "two", "one")
	c.git(dir, "push", "origin", "tree", "blob", "two")
}

// Annotated tags that can be reached from what is pushed go along, others don't.
func refsFollowTags(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "one")
	c.alice.git(dir, "tag", "-a", "-m", "one", "v1")
	c.alice.git(dir, "tag", "light")
	c.alice.commit(dir, "two")
	c.alice.git(dir, "tag", "-a", "-m", "two", "v2")
	c.git(dir, "push", "--follow-tags", "origin", "main~1:main")
	c.git(dir, "-c", "push.followTags=true", "push", "origin", "main")
}

func refsAll(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.alice.git(dir, "branch", "one")
	c.alice.git(dir, "branch", "two/deep")
	c.alice.git(dir, "tag", "v1")
	c.git(dir, "push", "--all", "origin")
	c.git(dir, "push", "--all", "origin", "main")
	c.git(dir, "push", "--all", "--follow-tags", "origin")
}

// Everything is as Alice has it, whatever Bob had.
func refsMirror(c *scene) {
	dir := c.diverged()
	c.bob.git(c.served, "branch", "only-bobs")
	c.bob.git(c.served, "tag", "v1", "main")
	c.alice.git(dir, "tag", "v1")
	c.alice.git(dir, "branch", "new")
	c.alice.git(dir, "update-ref", "refs/changes/1", "main")
	c.git(dir, "push", "--mirror", "--dry-run", "origin")
	c.git(dir, "push", "--mirror", "origin")
	c.git(dir, "push", "--mirror", "origin")
}

func refsMirrorInConfig(c *scene) {
	dir := c.diverged()
	c.alice.git(dir, "remote", "add", "--mirror=push", "copy", c.url)
	c.bob.git(c.served, "branch", "only-bobs")
	c.git(dir, "push", "copy")
	c.git(dir, "push", "copy", "main")
}

func refsPrune(c *scene) {
	c.seed("main", "topic", "kept")
	dir := c.local()
	c.alice.git(dir, "branch", "--quiet", "kept", "origin/kept")
	c.git(dir, "push", "--prune", "--dry-run", "origin", "refs/heads/*:refs/heads/*")
	c.git(dir, "push", "--prune", "origin", "refs/heads/*:refs/heads/*")
	c.git(dir, "push", "--prune", "origin", "refs/heads/*:refs/tmp/*")
	c.alice.git(dir, "branch", "--quiet", "-D", "kept")
	c.git(dir, "push", "--prune", "origin", "refs/heads/*:refs/tmp/*")
}

func refsHead(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "topic")
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "HEAD")
	c.git(dir, "push", "origin", "HEAD:x", "HEAD~1:refs/heads/y")
	c.git(dir, "push", "origin", "@:z", "HEAD:refs/tags/here")
	c.git(dir, "push", "origin", "HEAD~1:nowhere")
}

func refsDetached(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "--detach")
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "HEAD")
	c.git(dir, "push", "origin", "HEAD:x")
	c.git(dir, "push", "origin", "HEAD:refs/heads/x", "HEAD:main")
	c.git(dir, "push", "origin")
}

func refsObjectID(c *scene) {
	c.seed("main")
	dir := c.local()
	id := c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", id+":refs/heads/x")
	c.git(dir, "push", "origin", id+":main")
	c.git(dir, "push", "origin", id+":y")
	c.git(dir, "push", "origin", id)
}

func refsGlob(c *scene) {
	c.seed("main")
	dir := c.local()
	for _, branch := range []string{"feature/a", "feature/b/c", "other"} {
		c.alice.git(dir, "branch", branch)
	}
	c.git(dir, "push", "origin", "refs/heads/feature/*:refs/heads/alice/*")
	c.git(dir, "push", "origin", "refs/heads/feature/*")
	c.git(dir, "push", "origin", "feature/*:x/*")
}

func refsNegative(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.git(dir, "branch", "one")
	c.alice.git(dir, "branch", "skipped")
	c.git(dir, "push", "origin", "refs/heads/*", "^refs/heads/skipped")
}

// What both have, by a colon.
func refsMatching(c *scene) {
	c.seed("main", "topic", "only-bobs")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "topic")
	c.alice.commit(dir, "more")
	c.alice.git(dir, "branch", "only-alices")
	c.git(dir, "push", "origin", ":")
	c.bobCommits("main", "theirs")
	c.alice.git(dir, "checkout", "--quiet", "main")
	c.alice.commit(dir, "ours")
	c.git(dir, "push", "origin", "+:")
}

func refsInConfig(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.alice.git(dir, "config", "remote.origin.push", "refs/heads/main:refs/heads/from-alice")
	c.alice.git(dir, "config", "--add", "remote.origin.push", "HEAD:refs/heads/head")
	c.git(dir, "push")
	c.git(dir, "push", "origin", "main")
	c.alice.git(dir, "config", "remote.pushDefault", "origin")
	c.alice.git(dir, "config", "branch.main.remote", "nowhere")
	c.git(dir, "push")
}

func refsOtherPlaces(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.git(dir, "notes", "add", "-m", "a note", "main")
	c.git(dir, "push", "origin", "refs/notes/commits", "main:refs/changes/1", "main:refs/for/main", "main:refs/x/y/z")
	c.git(dir, "push", "origin", "refs/notes/*")
	c.alice.git(dir, "notes", "append", "-m", "more", "main")
	c.git(dir, "push", "origin", "refs/notes/*:refs/notes/*", ":refs/changes/1")
	c.git(dir, "push", "origin", "refs/notes/commits:refs/remotes/alice/main")
	c.git(dir, "push", "origin", "main:refs/one-level", "main:two/levels")
}

// Only branches can be pushed where they have diverged; anything else is refused as by a path, and moved by force.
func refsOtherDiverged(c *scene) {
	c.seed("main", "topic")
	c.bob.git(c.served, "update-ref", "refs/notes/commits", "topic")
	dir := c.local()
	c.alice.git(dir, "notes", "add", "-m", "a note", "main")
	c.git(dir, "push", "origin", "refs/notes/commits")
	c.git(dir, "push", "origin", "+refs/notes/commits", "main:refs/for/main")
}

func refsAmbiguous(c *scene) {
	c.seed("main", "both")
	c.bob.git(c.served, "tag", "both", "main")
	dir := c.local()
	c.alice.git(dir, "branch", "both", "origin/main")
	c.git(dir, "push", "origin", "both")
	c.git(dir, "push", "origin", "main:both")
	c.git(dir, "push", "origin", ":both")
	c.git(dir, "push", "origin", ":refs/tags/both")
}

// A destination of another name that Bob's branch can be brought up to.
func refsOtherName(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "topic")
	c.git(dir, "push", "origin", "topic:main") // while her own main stays behind
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "topic:main", "topic:new")
	c.git(dir, "push", "origin", "topic:topic", "main:third")
	c.git(dir, "push", "origin", "new:main")
}
