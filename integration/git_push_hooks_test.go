package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Hooks of both sides. A hook that can't be run is in TestGitPushFallback.
var pushHooks = map[string]pushScene{
	"pre-push":                    {play: hookPrePush},
	"pre-push-diverged":           {play: hookPrePushDiverged},
	"pre-push-refuses":            {play: hookPrePushRefuses},
	"pre-receive":                 {play: hookPreReceive},
	"pre-receive-refuses":         {play: hookPreReceiveRefuses},
	"pre-receive-says":            {play: hookSays},
	"update":                      {play: hookUpdate},
	"post-receive":                {play: hookPostReceive},
	"post-receive-fails":          {play: hookPostReceiveFails},
	"post-update":                 {play: hookPostUpdate},
	"push-to-checkout":            {play: hookPushToCheckout, options: sceneOptions{init: []string{workTree}, config: map[string]string{"receive.denyCurrentBranch": "updateInstead"}}},
	"reference-transaction":       {play: hookTransaction},
	"reference-transaction-stops": {play: hookTransactionStops, modes: []string{direct}},
	"proc-receive":                {play: hookProcReceive, options: sceneOptions{config: map[string]string{"receive.procReceiveRefs": "refs/for"}}},
	"proc-receive-atomic":         {play: hookProcReceiveAtomic, options: sceneOptions{config: map[string]string{"receive.procReceiveRefs": "refs/for"}}, ownWords: true},
	"not-executable":              {play: hookNotExecutable},
	"environment":                 {play: hookEnvironment},
}

// Its arguments, and the lines on its standard input.
func hookPrePush(c *scene) {
	c.seed("main", "topic", "second")
	dir := c.local()
	seen := filepath.Join(c.dir, "seen")
	c.hook(dir, "pre-push", "echo \"$@\" >>"+seen+"; cat >>"+seen+"\n")
	c.git(dir, "push", "origin", "main")
	c.alice.git(dir, "branch", "--quiet", "topic", "origin/topic")
	c.alice.commit(dir, "more")
	c.alice.git(dir, "tag", "v1")
	c.git(dir, "push", "origin", "main", "main:new", ":topic", ":second", "v1", "main~1:refs/heads/older")
	c.git(dir, "push", "--dry-run", c.url, "v1:refs/tags/other")
	c.noteFile(seen)
}

// With a force, a hook sees what is overwritten.
func hookPrePushDiverged(c *scene) {
	dir := c.diverged()
	seen := filepath.Join(c.dir, "seen")
	c.hook(dir, "pre-push", "cat >>"+seen+"\n")
	c.bob.git(c.served, "branch", "topic")
	c.git(dir, "push", "origin", "+main", ":topic")
	c.bobCommits("main", "again")
	c.fetched(dir)
	c.git(dir, "push", "--force-with-lease", "origin", "main")
	c.noteFile(seen)
}

func hookPrePushRefuses(c *scene) {
	c.seed("main")
	dir := c.local()
	c.hook(dir, "pre-push", "echo on stdout; echo on stderr >&2; exit 7\n")
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main")
	c.git(dir, "push", "--porcelain", "origin", "main:new")
}

func hookPreReceive(c *scene) {
	c.hook(c.served, "pre-receive", "cat; git cat-file -t \"$(git rev-parse main)\"; echo $GIT_QUARANTINE_PATH | grep -c incoming\n")
	c.seed("main", "topic")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main", ":topic", "main:new", "main:refs/x/y")
}

func hookPreReceiveRefuses(c *scene) {
	c.hook(c.served, "pre-receive", "echo the words of a refusal; echo and more >&2; exit 1\n")
	c.seed("main", "topic")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main", ":topic", "main:new", "main:refs/tags/v1")
	c.git(dir, "push", "--porcelain", "--quiet", "origin", "main")
}

// What hooks say, in all shapes.
func hookSays(c *scene) {
	c.hook(c.served, "pre-receive", `printf 'größe\n\nindented:\ta tab\n'; printf 'no end of line'
i=0; while [ $i -lt 300 ]; do printf 'a long line '; i=$((i+1)); done
printf '\rover\n\033[31mred\033[0m\n'
`)
	c.hook(c.served, "post-receive", "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done\n")
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "origin", "main:new")
}

// It refuses one of two.
func hookUpdate(c *scene) {
	seen := filepath.Join(c.served, "seen")
	c.hook(c.served, "update", "echo \"$@\" >>"+seen+"; case $1 in *topic) echo not $1; exit 1;; esac\necho welcome\n")
	c.seed("main", "topic", "old")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "topic")
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "topic", "topic:new", ":old", "topic:refs/x/y", "topic:refs/x/topic")
	c.noteFile(seen)
}

func hookPostReceive(c *scene) {
	c.hook(c.served, "post-receive", "echo taken:; cat\n")
	c.hook(c.served, "update", "[ $1 != refs/heads/bad ]\n")
	c.seed("main", "topic")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main", ":topic", "main:bad", "main:new", "main:refs/tags/v1")
	c.git(dir, "push", "origin", "main:bad")
	c.git(dir, "push", "origin", "main")
}

func hookPostReceiveFails(c *scene) {
	c.hook(c.served, "post-receive", "cat >/dev/null; echo too late; exit 1\n")
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "origin", "main:new")
}

func hookPostUpdate(c *scene) {
	c.hook(c.served, "post-update", "echo \"$@\"; git update-server-info\n")
	c.seed("main", "topic")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main", ":topic", "main:new")
	c.noteFile(filepath.Join(c.served, "info", "refs"))
}

// A checked-out branch, and a hook that brings the work tree along or doesn't.
func hookPushToCheckout(c *scene) {
	c.hook(c.served, "push-to-checkout", "git read-tree -u -m HEAD $1 && echo $1 >>seen\n")
	dir := c.local()
	c.alice.commit(dir, "one")
	c.git(dir, "push", "origin", "main")
	c.noteFile(filepath.Join(c.served, "one.txt"))
	c.noteFile(filepath.Join(c.served, "seen"))
	c.note("%s", c.bob.git(c.served, "status", "--porcelain"))
}

// The refs that were changed, however many transactions that took.
func hookTransaction(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	seen := filepath.Join(c.served, "seen")
	c.hook(c.served, "reference-transaction", "[ $1 = committed ] && grep refs/ >>"+seen+"\nexit 0\n")
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main", "main:new", ":topic", "main:refs/tags/v1")
	c.git(dir, "push", "--atomic", "origin", "main~1:refs/heads/a", "main:refs/heads/b", ":new")
	content, err := os.ReadFile(seen)
	if err != nil {
		c.Fatal(err)
	}
	lines := strings.Split(string(content), "\n")
	slices.Sort(lines)
	c.note("%s", strings.Join(slices.Compact(lines), "\n"))
}

func hookTransactionStops(c *scene) {
	c.seed("main", "topic")
	dir := c.local()
	c.hook(c.served, "reference-transaction", "[ $1 = prepared ] && grep -q topic && { echo not topic; exit 1; }\nexit 0\n")
	c.alice.git(dir, "checkout", "--quiet", "topic")
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "topic", "topic:new", "main:refs/tags/topic")
}

// procReceive takes refs/for/<branch> as refs/changes/<branch>, and refuses refs/for/bad. It speaks pkt-lines (githooks(5)).
const procReceive = `
packet() { # of the input; nothing for a flush-pkt
	len=$(dd bs=1 count=4 2>/dev/null)
	[ "$len" = 0000 ] && return 1
	line=$(dd bs=1 count=$((0x$len - 4)) 2>/dev/null | tr '\0' ' ')
}
say() { printf '%04x%s' $((${#1} + 4)) "$1"; }
packet; hello=$line; packet
printf '0021version=1\0push-options atomic0000'
reports=
while packet; do
	set -- $line
	echo "asked for $line" >&2
	reports="$reports $1,$2,$3"
done
case $hello in *push-options*) while packet; do echo "option $line" >&2; done;; esac
case $hello in *atomic*) echo together >&2;; esac
for r in $reports; do
	IFS=,; set -- $r; unset IFS
	branch=${3#refs/for/}
	if [ $branch = bad ]; then
		say "ng $3 no such target"
	else
		git update-ref refs/changes/$branch $2
		say "ok $3"; say "option refname refs/changes/$branch"; say "option old-oid $1"; say "option new-oid $2"
	fi
done
printf 0000
`

func hookProcReceive(c *scene) {
	c.bob.git(c.served, "config", "receive.advertisePushOptions", "true")
	c.hook(c.served, "proc-receive", procReceive)
	c.hook(c.served, "post-receive", "cat\n")
	c.seed("main", "topic")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main:refs/for/main")
	c.git(dir, "push", "-o", "topic=x", "origin", "main:refs/for/topic", "main", "main:refs/for/bad", ":topic", "main:refs/tags/v1")
	c.git(dir, "push", "--porcelain", "origin", "main:refs/for/bad", "main:new")
}

func hookProcReceiveAtomic(c *scene) {
	c.hook(c.served, "proc-receive", procReceive)
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "--atomic", "origin", "main:refs/for/main", "main:new")
	mustSay(c.T, c.git(dir, "push", "--atomic", "origin", "main:refs/for/bad", "main:newer").stderr, "main -> refs/for/bad (no such target)")
}

func hookNotExecutable(c *scene) {
	c.hook(c.served, "pre-receive", "exit 1\n")
	c.chmod(filepath.Join(c.served, "hooks", "pre-receive"), 0o600)
	c.bob.git(c.served, "config", "advice.ignoredHook", "false")
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "origin", "main:new")
}

// What git itself tells a hook.
func hookEnvironment(c *scene) {
	c.hook(c.served, "post-receive", "pwd; echo $GIT_DIR $GIT_WORK_TREE $GIT_CONFIG_PARAMETERS $GIT_CONFIG_COUNT $GIT_PUSH_CERT; git config core.hooksPath; git rev-parse --git-dir\n")
	c.hook(c.served, "update", "pwd; echo $GIT_DIR; git config receive.procReceiveRefs; git rev-parse --git-dir\n")
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "origin", "main:new")
}
