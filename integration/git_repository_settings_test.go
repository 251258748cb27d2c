package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What the owner of a repository forbids.
var repositoryDenies = map[string]pushScene{
	"deletes":                     {play: deletes, options: setting("receive.denyDeletes", "true")},
	"delete-current-unset":        {play: deleteCurrent},
	"delete-current-refuse":       {play: deleteCurrent, options: setting("receive.denyDeleteCurrent", "refuse")},
	"delete-current-warn":         {play: deleteCurrent, options: setting("receive.denyDeleteCurrent", "warn")},
	"delete-current-ignore":       {play: deleteCurrent, options: setting("receive.denyDeleteCurrent", "ignore")},
	"delete-checked-out":          {play: deleteCheckedOut, options: noBare, modes: []string{direct}},
	"non-fast-forwards":           {play: forceBackwards, options: setting("receive.denyNonFastForwards", "true"), modes: []string{direct}},
	"non-fast-forwards-of-others": {play: forceOthers, options: setting("receive.denyNonFastForwards", "true")},
}

func setting(key, value string) sceneOptions {
	return sceneOptions{config: map[string]string{key: value}}
}

func deletes(c *scene) {
	c.seed("main", "topic")
	c.bob.git(c.served, "tag", "v1", "main")
	dir := c.local()
	c.git(dir, "push", "origin", ":topic")
	c.git(dir, "push", "origin", ":v1")
	c.git(dir, "push", "origin", ":topic", "main:new")
	c.git(dir, "push", "--atomic", "origin", ":topic", "main:newer")
}

func deleteCurrent(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.git(dir, "push", "origin", ":main")
	c.git(dir, "ls-remote", "--symref", "origin")
}

func deleteCheckedOut(c *scene) {
	dir := c.local()
	c.git(dir, "push", "origin", ":main", "main:new")
	c.git(dir, "push", "origin", ":new")
}

// Alice forces main back to where it was, and to something else.
func forceBackwards(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.git(dir, "push", "--force", "origin", "main:topic")
	c.git(dir, "push", "--force", "origin", "main", "main:new")
}

// Refs outside of the branches obey the setting, too.
func forceOthers(c *scene) {
	c.seed("main", "topic")
	c.bob.git(c.served, "update-ref", "refs/other/one", "topic")
	dir := c.local()
	c.git(dir, "push", "--force", "origin", "main:refs/other/one")
	c.git(dir, "push", "--atomic", "--force", "origin", "main:refs/other/one", "main:refs/other/two")
}

// Checks of what arrives.
var repositoryChecks = map[string]pushScene{
	"fsck-receive":        {play: badObjects, options: setting("receive.fsckObjects", "true")},
	"fsck-transfer":       {play: badObjects, options: setting("transfer.fsckObjects", "true")},
	"fsck-none":           {play: badObjects},
	"fsck-unpacked":       {play: badObjects, options: sceneOptions{config: map[string]string{"receive.fsckObjects": "true", "receive.unpackLimit": "1"}}},
	"fsck-warns":          {play: badObjects, options: sceneOptions{config: map[string]string{"receive.fsckObjects": "true", "receive.fsck.missingEmail": "warn"}}},
	"max-input-size":      {play: largePush, options: setting("receive.maxInputSize", "1k")},
	"max-input-size-kept": {play: largePush, options: sceneOptions{config: map[string]string{"receive.maxInputSize": "1k", "receive.unpackLimit": "1"}}},
	"missing-objects":     {play: missingObjects},
}

// A commit whose author has no address, which older tools made.
func badObjects(c *scene) {
	c.seed("main")
	dir := c.local()
	text := fmt.Sprintf("tree %s\nparent %s\nauthor nobody 1700000000 +0000\ncommitter nobody 1700000000 +0000\n\nbad\n",
		c.alice.git(dir, "rev-parse", "main^{tree}"), c.alice.git(dir, "rev-parse", "main"))
	cmd := c.alice.command(dir, "git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally")
	cmd.Stdin = strings.NewReader(text)
	made := run(c, cmd)
	if made.status != 0 {
		c.Fatal(made)
	}
	bad := strings.TrimSpace(made.stdout)
	c.git(dir, "push", "origin", bad+":refs/heads/main")
	c.git(dir, "push", "origin", bad+":refs/heads/new", "main:good")
	c.git(dir, "push", "--atomic", "origin", bad+":refs/tags/v1", "main:better")
	c.git(dir, "-c", "fetch.fsckObjects=true", "fetch", "origin")
}

func largePush(c *scene) {
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "origin", "main:small")
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "%x", i*i*i)
	}
	c.write(dir+"/large", text.String())
	c.alice.commit(dir, "large")
	c.git(dir, "push", "origin", "main")
	c.git(dir, "push", "origin", "main:new", "main~1:good")
}

// Alice's repository lacks what she pushes.
func missingObjects(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "more")
	blob := c.alice.git(dir, "rev-parse", "main:more.txt")
	if err := os.Remove(filepath.Join(dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
		c.Fatal(err)
	}
	c.git(dir, "push", "origin", "main")
}

// Refs that the owner hides.
var repositoryHides = map[string]pushScene{
	"transfer":       {play: hideBranches, options: setting("transfer.hideRefs", "refs/heads/secret")},
	"receive":        {play: hideBranches, options: setting("receive.hideRefs", "refs/heads/secret")},
	"upload":         {play: hideBranches, options: setting("uploadpack.hideRefs", "refs/heads/secret")},
	"others":         {play: hideOthers, options: setting("transfer.hideRefs", "refs/pull")},
	"all-but-one":    {play: hideAllButOne},
	"tips-by-id":     {play: hideTips, options: sceneOptions{config: map[string]string{"transfer.hideRefs": "refs/heads/secret", "uploadpack.allowTipSHA1InWant": "true"}}},
	"version-zero":   {play: hideVersionZero, options: setting("transfer.hideRefs", "refs/heads/secret")},
	"uploads-refuse": {play: hideTips, options: setting("transfer.hideRefs", "refs/heads/secret")},
}

func hideBranches(c *scene) {
	c.seed("main", "secret/one")
	dir := c.local("--single-branch")
	c.git(c.dir, "ls-remote", c.url)
	c.git(dir, "fetch", "origin", "secret/one")
	c.git(dir, "fetch", "origin")
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main:secret/new", "main")
	c.git(dir, "push", "origin", ":secret/one")
	c.git(dir, "push", "--atomic", "origin", "main:secret/new", "main:new")
}

func hideOthers(c *scene) {
	c.seed("main", "topic")
	c.bob.git(c.served, "update-ref", "refs/pull/1/head", "topic")
	c.bob.git(c.served, "branch", "-D", "topic")
	dir := c.local()
	c.git(c.dir, "clone", "--mirror", c.url, "mirror")
	c.git(dir, "fetch", "origin", "refs/pull/1/head")
	c.git(dir, "push", "origin", "main:refs/pull/1/head")
}

func hideAllButOne(c *scene) {
	c.bob.git(c.served, "config", "--add", "transfer.hideRefs", "refs/heads")
	c.bob.git(c.served, "config", "--add", "transfer.hideRefs", "!refs/heads/main")
	c.seed("main", "topic")
	dir := c.local()
	c.git(c.dir, "ls-remote", c.url)
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main", "main:topic")
}

// A hidden ref's value can be fetched by id only where the owner allows that.
func hideTips(c *scene) {
	c.seed("main", "secret/one")
	id := c.bob.git(c.served, "rev-parse", "secret/one")
	c.git(c.dir, "init", "--quiet", "empty")
	for _, version := range []string{"0", "2"} {
		c.git(c.dir+"/empty", "-c", "protocol.version="+version, "fetch", "--depth=1", c.url, id)
	}
}

func hideVersionZero(c *scene) {
	c.seed("main", "secret/one")
	c.git(c.dir, "-c", "protocol.version=0", "ls-remote", c.url)
	c.git(c.dir, "-c", "protocol.version=1", "clone", "--mirror", c.url, "mirror")
}
