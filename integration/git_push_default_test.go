package integration

// push.default, and what else decides where a push without a refspec goes. It is decided before the serving side is asked.
var pushDefaults = map[string]pushScene{
	"simple":                   {play: defaultIs("simple"), modes: []string{fallback}},
	"current":                  {play: defaultIs("current"), modes: []string{fallback}},
	"upstream":                 {play: defaultIs("upstream"), modes: []string{fallback}},
	"matching":                 {play: defaultIs("matching"), modes: []string{fallback}},
	"nothing":                  {play: defaultIs("nothing"), modes: []string{fallback}},
	"upstream-of-another-name": {play: defaultOtherName, modes: []string{fallback}},
	"auto-setup-remote":        {play: defaultAutoSetup, modes: []string{fallback}},
	"triangular":               {play: defaultTriangular, modes: []string{fallback}},
}

// defaultIs pushes from a branch with an upstream, and from one without.
func defaultIs(value string) func(c *scene) {
	return func(c *scene) {
		c.seed("main", "topic")
		dir := c.local()
		c.alice.git(dir, "config", "push.default", value)
		c.alice.git(dir, "checkout", "--quiet", "topic")
		c.alice.commit(dir, "more")
		c.git(dir, "push")
		c.alice.git(dir, "checkout", "--quiet", "-b", "new")
		c.git(dir, "push")
		c.git(dir, "push", "origin")
	}
}

func defaultOtherName(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "--track", "-b", "mine", "origin/main")
	c.alice.commit(dir, "more")
	c.git(dir, "push")
	c.git(dir, "-c", "push.default=upstream", "push")
}

func defaultAutoSetup(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "-b", "new")
	c.git(dir, "-c", "push.autoSetupRemote=true", "push")
	c.git(dir, "status", "--short", "--branch")
}

// Fetched from one place and pushed to another.
func defaultTriangular(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.git(dir, "remote", "add", "fork", "nowhere")
	c.alice.git(dir, "remote", "set-url", "--push", "fork", c.url)
	c.alice.git(dir, "config", "branch.main.pushRemote", "fork")
	c.alice.commit(dir, "more")
	c.git(dir, "push")
	c.alice.git(dir, "config", "url."+c.url+".pushInsteadOf", "short:")
	c.git(dir, "push", "short:", "main:new")
}
