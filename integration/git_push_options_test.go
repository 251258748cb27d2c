package integration

import (
	"path/filepath"
	"regexp"
)

// The switches of git push that aren't about what is pushed.
var pushOptions = map[string]pushScene{
	"dry-run":          {play: optionDryRun},
	"porcelain":        {play: optionPorcelain},
	"quiet":            {play: optionQuiet},
	"verbose":          {play: optionVerbose},
	"progress":         {play: optionProgress},
	"no-progress":      {play: optionNoProgress},
	"set-upstream":     {play: optionSetUpstream},
	"no-thin":          {play: optionNoThin},
	"no-verify":        {play: optionNoVerify},
	"push-option":      {play: optionPushOption, options: sceneOptions{config: map[string]string{"receive.advertisePushOptions": "true"}}},
	"push-option-off":  {play: optionPushOption, options: sceneOptions{config: map[string]string{"receive.advertisePushOptions": "false"}}},
	"protocol-version": {play: optionProtocol},
	"receive-pack":     {play: optionReceivePack},
	"submodules":       {play: optionSubmodules},
}

func optionDryRun(c *scene) {
	c.hook(c.served, "pre-receive", "echo never\nexit 1\n")
	c.seed("main", "topic")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.alice.git(dir, "tag", "v1")
	c.git(dir, "push", "--dry-run", "origin", "main", ":topic", "main:new", "v1")
	c.git(dir, "push", "-n", "--porcelain", "origin", "main", ":topic", "main:new", "v1")
}

func optionPorcelain(c *scene) {
	c.hook(c.served, "update", "[ $1 != refs/heads/bad ]\n")
	c.seed("main", "topic", "same")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.alice.git(dir, "tag", "v1")
	c.alice.git(dir, "branch", "--quiet", "same", "origin/same")
	c.git(dir, "push", "--porcelain", "origin", "main", ":topic", "main:new", "v1", "same")
	c.git(dir, "push", "--porcelain", "--verbose", "origin", "main", "main:bad", "+same")
}

func optionQuiet(c *scene) {
	c.hook(c.served, "update", "[ $1 != refs/heads/bad ] || { echo heard all the same; exit 1; }\n")
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "--quiet", "origin", "main", "main:new")
	c.git(dir, "push", "--quiet", "origin", "main:bad", "main:other")
	c.git(dir, "push", "--quiet", "origin", ":other")
}

func optionVerbose(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "-v", "origin", "main", "main~1:refs/heads/new")
	c.git(dir, "push", "-v", "origin", "main", "main~1:refs/heads/new")
}

// throughput is the part of git's meter that is another each time.
var throughput = regexp.MustCompile(`, [0-9.]+ \w+ \| [0-9.]+ \w+/s`)

// git's own meter, and that of the other side.
func optionProgress(c *scene) {
	c.seed("main")
	dir := c.local()
	for _, name := range []string{"one", "two"} {
		c.alice.commit(dir, name)
	}
	r := c.alice.try(dir, "git", "-c", "pack.threads=1", "push", "--progress", "origin", "main")
	mustSay(c.T, r.stderr, "Writing objects:  16% (1/6)\r", "Writing objects: 100% (6/6), ", "/s, done.\n")
	c.note("%s", throughput.ReplaceAllString(r.String(), ""))
	c.alice.commit(dir, "three")
	r = c.alice.try(dir, "git", "-c", "pack.threads=1", "push", "--progress", "--quiet", "origin", "main")
	c.note("%s", throughput.ReplaceAllString(r.String(), ""))
}

func optionNoProgress(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "one")
	c.git(dir, "push", "--no-progress", "origin", "main")
}

func optionSetUpstream(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.alice.git(dir, "branch", "new")
	c.git(dir, "push", "--set-upstream", "origin", "new", "main:other")
	c.alice.git(dir, "checkout", "--quiet", "topic")
	c.alice.commit(dir, "more")
	c.git(dir, "push", "-u", "origin", "topic:main")
	c.git(dir, "config", "--get-regexp", `^branch\.`)
}

func optionNoThin(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "one")
	c.git(dir, "push", "--no-thin", "origin", "main")
	c.alice.commit(dir, "two")
	c.git(dir, "push", "--thin", "origin", "main")
}

func optionNoVerify(c *scene) {
	c.seed("main")
	dir := c.local()
	c.hook(dir, "pre-push", "echo not now; exit 3\n")
	c.git(dir, "push", "origin", "main:new")
	c.git(dir, "push", "--no-verify", "origin", "main:new")
}

// By a path receive.advertisePushOptions has to be set; in fallback mode it is unless the owner has said no.
func optionPushOption(c *scene) {
	c.hook(c.served, "pre-receive", `echo $GIT_PUSH_OPTION_COUNT: $GIT_PUSH_OPTION_0, $GIT_PUSH_OPTION_1`+"\n")
	c.hook(c.served, "post-receive", `echo after: $GIT_PUSH_OPTION_COUNT: $GIT_PUSH_OPTION_0`+"\n")
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "origin", "main:none")
	c.git(dir, "push", "-o", "topic=größe", "--push-option=a b", "origin", "main:one")
	c.alice.git(dir, "config", "push.pushOption", "from-config")
	c.git(dir, "push", "origin", "main:two")
	c.git(dir, "push", "-o", "given", "origin", "main:three")
	c.git(dir, "push", "-o", "two\nlines", "origin", "main:four")
	c.git(dir, "push", "--atomic", "-o", "atomic", "origin", "main:five", ":one")
}

func optionProtocol(c *scene) {
	c.seed("main")
	dir := c.local()
	for _, version := range []string{"0", "1", "2"} {
		c.alice.commit(dir, version)
		c.git(dir, "-c", "protocol.version="+version, "push", "origin", "main")
	}
}

func optionReceivePack(c *scene) {
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "--receive-pack=git-receive-pack", "origin", "main:new")
	c.git(dir, "push", "--ipv4", "origin", "main:newer")
}

// A submodule whose commits aren't pushed: found out, and pushed first.
func optionSubmodules(c *scene) {
	c.seed("main")
	dir := c.local()
	other := filepath.Join(filepath.Dir(c.served), "sub.git")
	c.bob.git(c.bob.dir, "clone", "--quiet", "--bare", "file://"+c.served, other)
	url := "file://" + other
	if c.over == "xmpp" {
		url = filepath.Dir(c.url) + "/sub"
		c.bob.xmpp(other, "peers", "set", c.alice.key(), "--access", "write", ".")
	}
	sub := filepath.Join(dir, "sub")
	c.alice.git(dir, "clone", "--quiet", "file://"+other, "sub")
	c.alice.git(sub, "remote", "set-url", "origin", url)
	c.alice.git(dir, "submodule", "--quiet", "add", "./sub", "sub")
	c.alice.commit(sub, "in the submodule")
	c.alice.commit(dir, "with a submodule")
	c.git(dir, "push", "--recurse-submodules=check", "origin", "main")
	r := c.alice.try(dir, "git", "push", "--recurse-submodules=on-demand", "origin", "main")
	c.note("%d", r.status)
	mustSay(c.T, r.stderr, "Pushing submodule 'sub'", "main -> main")
	c.git(dir, "push", "--recurse-submodules=check", "origin", "main")
	c.note("%s", c.bob.git(other, "for-each-ref"))
}
