package integration

import "strings"

// Names of branches that a program could trip over.
var pushNames = map[string]pushScene{
	"utf-8": {play: pushesNamed("größe", "ветка/日本", "e\u0301", "\u00e9", "😀")},
	"odd": {play: pushesNamed("latin-\xe9", "\xff\xfe", "Topic", "topic", "TOPIC", "0123456789012345678901234567890123456789", "deadbeef",
		"a/b/c/d/e/f", "heads/main", "refs/heads/x", "synced/x", "HEAD", "tags/v1", strings.Repeat("x", 200), strings.Repeat("deep/", 40)+"end")},
	"punctuation": {play: pushesNamed("with-dash", "--leading", "-", "@", "a@b", "a=b", "a,b", "x.y", "100%", "#1", "(y)", "semi;colon", "a&b", "<a>",
		`"quoted"`, "it's", "$(id)", "`id`", "{a}", "!a", "|", "%00", "+plus")},
	"in-the-way": {play: nameInTheWay, ownWords: true},
	"many":       {play: manyNames},
	"refused":    {play: namesRefused},
}

// pushesNamed makes, moves and deletes branches of these names.
func pushesNamed(names ...string) func(c *scene) {
	return func(c *scene) {
		c.seed("main")
		dir := c.local()
		var create, remove []string
		for _, name := range names {
			create = append(create, "HEAD:refs/heads/"+name)
			remove = append(remove, ":refs/heads/"+name)
		}
		c.git(dir, append([]string{"push", "origin"}, create...)...)
		c.alice.commit(dir, "more")
		for _, name := range names {
			c.alice.git(dir, "update-ref", "refs/heads/"+name, "HEAD")
		}
		c.git(dir, append([]string{"push", "--porcelain", "origin", "refs/heads/*:refs/heads/*"}, create...)...)
		c.note("%s", c.bob.git(c.served, "for-each-ref"))
		c.git(dir, append([]string{"push", "origin"}, remove...)...)
	}
}

// A branch that another's name goes through.
func nameInTheWay(c *scene) {
	c.seed("main", "a/b")
	dir := c.local()
	mustSay(c.T, c.git(dir, "push", "origin", "main:main/deeper", "main:good").stderr, "'refs/heads/main' exists")
	c.git(dir, "push", "origin", "main:a")
	c.git(dir, "push", "origin", ":a/b", "main:a")
	c.oneInTheWay(dir)
}

// oneInTheWay pushes two new branches that can't both be. Which of them git takes differs from version to version.
func (c *scene) oneInTheWay(dir string) {
	c.Helper()
	r := c.alice.try(dir, "git", "push", c.url, "main:x", "main:x/y")
	x, y := c.value("refs/heads/x"), c.value("refs/heads/x/y")
	if r.status != 1 || (x == "") == (y == "") {
		c.Errorf("x is %q, x/y is %q; %v", x, y, r)
	}
	mustSay(c.T, r.stderr, " * [new branch]      main -> x", " ! [remote rejected] main -> x")
	c.bob.git(c.served, "branch", "-D", strings.TrimPrefix(c.bob.git(c.served, "for-each-ref", "--format=%(refname:short)", "refs/heads/x", "refs/heads/x/*"), "heads/"))
}

// A hundred at once.
func manyNames(c *scene) {
	c.seed("main")
	dir := c.local()
	var refs strings.Builder
	id := c.alice.git(dir, "rev-parse", "main")
	for _, a := range "abcdefghij" {
		for _, b := range "abcdefghij" {
			refs.WriteString("create refs/heads/many/" + string(a) + "/" + string(b) + " " + id + "\n")
		}
	}
	cmd := c.alice.command(dir, "git", "update-ref", "--stdin")
	cmd.Stdin = strings.NewReader(refs.String())
	if r := run(c, cmd); r.status != 0 {
		c.Fatal(r)
	}
	c.git(dir, "push", "--all", "origin")
	c.git(dir, "push", "origin", "--prune", "main", "refs/tmp/*:refs/heads/many/*")
}

func namesRefused(c *scene) {
	c.seed("main")
	dir := c.local()
	for _, name := range []string{"refs/heads/a..b", "refs/heads/a b", "refs/heads/.a", "refs/heads/a.lock", "refs/heads/a/", "refs/heads/a^", "refs/heads/a:b", "refs/heads/a\nb"} {
		c.git(dir, "push", "origin", "main:"+name)
	}
}
