package repo

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// toyProcReceive is the test binary as a proc-receive hook. It writes to TOY_HOOK_LOG what it is told, and reports TOY_HOOK: lines, separated by
// semicolons, for each command, as soon as it has read that. The words crash and fail end it before and after its report. It reads
// all that it is told: git complains if it can't write that, at one time or another.
func toyProcReceive() int {
	in, script := pktline.NewScanner(bufio.NewReader(os.Stdin)), os.Getenv("TOY_HOOK")
	log, err := os.OpenFile(os.Getenv("TOY_HOOK_LOG"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_, features, err := readHello(in)
	fmt.Fprintf(log, "features %v\n", features)
	hello := "version=" + cmp.Or(os.Getenv("TOY_HOOK_VERSION"), "1")
	if slices.Contains(features, pushOptions) {
		hello += "\x00" + pushOptions
	}
	if err != nil || writeSection(os.Stdout, []string{hello + "\n"}) != nil {
		return 1
	}
	enc := pktline.NewEncoder(os.Stdout)
	for in.Scan() && len(in.Bytes()) > 0 {
		c, err := parseCommand(string(in.Bytes()))
		fmt.Fprintf(log, "command %s %s %s %v\n", c.old, c.new, c.ref, err)
		if script == "crash" {
			continue
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(script, " fail"), ";") {
			line = strings.NewReplacer("OLD", c.old, "NEW", c.new, "REF", c.ref).Replace(line)
			if line != "" && enc.EncodeString(line) != nil {
				return 1
			}
		}
	}
	if slices.Contains(features, pushOptions) {
		options, err := readSection(in, maxCommands)
		fmt.Fprintf(log, "options %q %v\n", options, err)
	}
	fmt.Fprintf(os.Stderr, "hook for %s, config %s\n", os.Getenv(envPeerLabel), os.Getenv("GIT_CONFIG_PARAMETERS"))
	if script == "crash" || enc.Flush() != nil || strings.HasSuffix(script, " fail") {
		return 1
	}
	return 0
}

// ownHook makes the server a proc-receive hook of its own for some refs; it reports as script says.
func (w *world) ownHook(refs, script string) (log string) {
	w.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	log = filepath.Join(w.t.TempDir(), "log")
	w.hook(procReceive, fmt.Sprintf("TOY_HOOK='%s' TOY_HOOK_LOG='%s' exec '%s'\n", script, log, exe))
	git(w.t, w.server, "config", "--add", "receive.procReceiveRefs", refs)
	return log
}

// Whatever the repository's own hook reports, git says what it says without us.
func TestOwnProcReceiveAsGitDoes(t *testing.T) {
	const other = "ok REF;option refname refs/pull/1/head;option old-oid OLD;option new-oid NEW"
	for name, test := range map[string]struct {
		script, version string
		args            []string
		say             string
	}{
		"done":                  {"ok REF", "", nil, "* [new reference] main -> refs/for/main"},
		"by another name":       {other, "", nil, "* [new reference] main -> refs/pull/1/head"},
		"forced":                {"ok REF;option old-oid NEW;option forced-update", "", nil, "(forced update)"},
		"two":                   {other + ";ok REF;option refname refs/pull/2/head", "", nil, "main -> refs/pull/2/head"},
		"refused":               {"ng REF no way", "", nil, "(no way)"},
		"refused without words": {"ng REF", "", nil, "(failed)"},
		"done, then refused":    {"ok REF;ng REF after all", "", nil, "(after all)"},
		"falls through":         {"ok REF;option fall-through", "", nil, "* [new reference] main -> refs/for/main"},
		"fails afterwards":      {"ok REF fail", "", nil, "main -> refs/for/main"},
		"crashes":               {"crash", "", nil, "(fail to run proc-receive hook)"},
		"another version":       {"ok REF", "2", nil, "version '2' is not supported"},
		"no number":             {"ok REF", "0", nil, "main -> refs/for/main"},
		"nothing":               {";", "", nil, "(proc-receive failed to report status)"},
		"unknown ref":           {"ok refs/for/none;ok REF", "", nil, "status on unknown ref: refs/for/none"},
		"bad status":            {"hm REF;ok REF", "", nil, "bad status 'hm' on ref 'refs/for/main'"},
		"incomplete":            {"ok;ok REF", "", nil, "incomplete status line: 'ok'"},
		"option of nothing":     {"option refname x;ok REF", "", nil, "'option' without a matching"},
		"options of the push":   {"ok REF", "", []string{"-o", "one", "-o", "", "-o", "three"}, "main -> refs/for/main"},
		"atomic":                {"ok REF", "", []string{"--atomic"}, "main -> refs/for/main"},
		"atomic, refused":       {"ng REF no way", "", []string{"--atomic"}, "main -> topic (fail to run proc-receive hook)"},
		"atomic, crashes":       {"crash", "", []string{"--atomic"}, "main -> topic (fail to run proc-receive hook)"},
		"atomic, fails":         {"ok REF fail", "", []string{"--atomic"}, "main -> topic (fail to run proc-receive hook)"},
		"atomic, falls through": {"ok REF;option fall-through", "", []string{"--atomic"}, "main -> refs/for/main"},
	} {
		t.Run(name, func(t *testing.T) {
			var said, told, refs [3]string
			var status [3]int
			for i, how := range [][2]string{{ModeDirect}, {ModeFallback}, {ModeDirect, "refs/for/main,refs/heads/topic"}} {
				w := newWorld(t, "--bare")
				t.Setenv("TOY_MODE", how[0])
				t.Setenv("TOY_REFS", how[1])
				t.Setenv("TOY_HOOK_VERSION", test.version)
				log := w.ownHook("refs/for", test.script)
				git(t, w.server, "config", "receive.advertisePushOptions", "true")
				commit(t, w.client, "two", "two")
				out, s := w.push(append(test.args, "origin", "main:refs/for/main", "main:topic")...)
				w.says(out, test.say)
				said[i], status[i] = strings.ReplaceAll(out, w.server, "SERVER"), s
				told[i], refs[i] = readFile(t, log), git(t, w.server, "for-each-ref")
			}
			for i, how := range []string{1: "in fallback mode", 2: "with limits"} {
				if said[0] != said[i] || status[0] != status[i] || told[0] != told[i] || refs[0] != refs[i] {
					t.Errorf("%s: exit status %d, as by git %d; said\n%s\nas by git\n%s\ntold\n%s\nas by git\n%s\nrefs\n%s\nas by git\n%s",
						how, status[i], status[0], said[i], said[0], told[i], told[0], refs[i], refs[0])
				}
			}
		})
	}
}

func TestOwnProcReceiveIsMissing(t *testing.T) {
	w := newWorld(t, "--bare")
	git(t, w.server, "config", "receive.procReceiveRefs", "refs/for")
	commit(t, w.client, "two", "two")
	out, status := w.push("origin", "main:refs/for/main", "main")
	w.says(out, "remote: error: cannot find hook 'proc-receive'", "main -> refs/for/main (fail to run proc-receive hook)", "main -> main")
	w.is("refs/heads/main", "main")
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
}

// A branch that falls through is taken in as without the hook, which is told the value that the branch has.
func TestOwnProcReceiveOfBranches(t *testing.T) {
	for name, args := range map[string][]string{"one by one": nil, "atomic": {"--atomic"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "--bare")
			log := w.ownHook("m:refs/heads", "ok REF;option fall-through")
			w.diverge()
			theirs, ours := git(t, w.server, "rev-parse", "main"), git(t, w.client, "rev-parse", "main")
			git(t, w.client, "tag", "v1")
			w.mustPush(append(args, "origin", "main", "main:topic", "v1"), "remote: hook for alice, config", "main -> "+syncedRef, "main -> topic", "v1 -> v1")
			w.is(syncedRef, "main")
			w.is("refs/heads/topic", "main")
			w.is("refs/tags/v1", "v1")
			if got := readFile(t, log); strings.Count(got, "command") != 1 || !strings.Contains(got, "command "+theirs+" "+ours+" refs/heads/main") {
				t.Errorf("the hook was told\n%s", got)
			}
		})
	}
}

// If others fail an atomic push, what the hook has done is reported as failed, as by git.
func TestOwnProcReceiveAtomicOthersFail(t *testing.T) {
	w := newWorld(t, "--bare")
	w.ownHook("refs/for", "ok REF")
	w.hook("update", "[ $1 != refs/heads/bad ]")
	commit(t, w.client, "two", "two")
	out, status := w.push("--atomic", "origin", "main:refs/for/main", "main", "main:bad")
	w.says(out, "main -> refs/for/main ("+reasonAtomic+")", "main -> main ("+reasonAtomic+")", "main -> bad (hook declined)")
	w.is("refs/heads/main", "main~1")
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
}

// The hook reports while it is still told: neither side waits for the other.
func TestOwnProcReceiveOfMany(t *testing.T) {
	const n = 3000
	w := newWorld(t, "--bare")
	log := w.ownHook("refs/for", "ok REF;option refname REF-"+strings.Repeat("x", 100))
	var refs strings.Builder
	one := git(t, w.client, "rev-parse", "main")
	for i := range n {
		fmt.Fprintf(&refs, "%s refs/tags/%s%d\n", one, strings.Repeat("y", 100), i)
	}
	writeFile(t, w.client+"/.git/packed-refs", refs.String(), 0o644)
	git(t, w.client, "update-ref", "refs/heads/main", one)
	out, status := w.push("-q", "--porcelain", "origin", "refs/tags/*:refs/for/*")
	if got := strings.Count(readFile(t, log), "command"); status != 0 || got != n || strings.Contains(out, "rejected") {
		t.Errorf("exit status %d, the hook was told of %d refs", status, got)
	}
}

func TestRefPatterns(t *testing.T) {
	zero, a, b := strings.Repeat("0", 40), strings.Repeat("a", 40), strings.Repeat("b", 40)
	add, modify, remove := command{zero, a, "refs/heads/x"}, command{a, b, "refs/heads/x"}, command{a, zero, "refs/heads/x"}
	for pattern, want := range map[string][3]bool{
		"refs/heads":      {true, true, true},
		"refs/heads/":     {true, true, true},
		"refs/heads/x":    {true, true, true},
		"refs/head":       {},
		"refs/for":        {},
		"refs":            {true, true, true},
		"ad:refs/heads":   {true, false, true},
		"m:refs/heads":    {false, true, false},
		"z:refs/heads":    {},
		":refs/heads":     {},
		"adm!:refs/heads": {},
		"!adm:refs/for":   {true, true, true},
		"a!:refs/for":     {true, false, false},
		"!:refs/for":      {},
		"":                {},
	} {
		p := parseRefPattern(pattern)
		if got := [3]bool{p.matches(add), p.matches(modify), p.matches(remove)}; got != want {
			t.Errorf("%s: %v, want %v", pattern, got, want)
		}
	}
}
