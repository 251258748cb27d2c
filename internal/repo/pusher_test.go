package repo

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// pushing is the client's repository, which pushes to the server by Push.
type pushing struct {
	*world
	repo *Repo
	uuid string
}

func newPushing(t *testing.T, initArgs ...string) *pushing {
	t.Helper()
	w := newWorld(t, initArgs...)
	r, err := Open(t.Context(), w.client)
	if err != nil {
		t.Fatal(err)
	}
	uuid, err := r.UUID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TOY_UUID", uuid)
	return &pushing{w, r, uuid}
}

func (p *pushing) pushAll(more ...string) (*Pushed, error) {
	p.t.Helper()
	tips, err := p.repo.Tips(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return p.repo.Push(p.t.Context(), "xmpp::"+p.server, tips, HooksDir(p.data), more...)
}

func TestPushTips(t *testing.T) {
	p := newPushing(t)
	t.Setenv("PATH", os.Getenv("PATH")+string(os.PathListSeparator)+t.TempDir())
	p.diverge()
	git(t, p.client, "branch", "topic")
	git(t, p.client, "tag", "v1")
	git(t, p.client, "tag", "-a", "-m", "v2", "v2")
	git(t, p.server, "tag", "v1", "main~1")
	git(t, p.client, "update-ref", "refs/synced/"+otherUUID+"/main", "main")
	theirs := "refs/synced/" + otherUUID + ".1/" + aliceUUID + "/a"
	git(t, p.client, "update-ref", theirs, "main~1")
	for name, value := range map[string]string{"push.followTags": "true", "push.gpgSign": "true", "push.recurseSubmodules": "only", "remote.pushDefault": "nowhere"} {
		git(t, p.client, "config", name, value)
	}
	p.hook("post-receive", "echo received")
	writeFile(t, p.client+"/.git/hooks/pre-push", "#!/bin/sh\nprintf \"pre-push\\t$PWD\\001$GIT_TERMINAL_PROMPT $WITH\n\" >&2\n", 0o755)

	got, err := p.pushAll("WITH=company")
	if err != nil {
		t.Fatal(err)
	}
	taken := []string{"refs/heads/main", "refs/heads/topic", theirs, "refs/tags/v2"}
	slices.Sort(taken)
	refs := refsOf(got.Taken)
	slices.Sort(refs)
	if !slices.Equal(refs, taken) {
		t.Errorf("taken are %v", refs)
	}
	if moved := slices.Sorted(slices.Values(refsOf(got.Moved))); !slices.Equal(moved, []string{"refs/heads/topic", "refs/tags/v2"}) {
		t.Errorf("where they were pushed to are %v", moved)
	}
	if len(got.Rejected) != 1 || got.Rejected[0].Ref != "refs/tags/v1" || got.Rejected[0].Why != "[rejected] (already exists)" {
		t.Errorf("rejected are %+v", got.Rejected)
	}
	if !slices.Contains(got.Output, "remote: received") || !slices.Contains(got.Output, "pre-push "+p.client+" 0 company") || strings.Contains(strings.Join(got.Output, "\n"), "hint") {
		t.Errorf("output %q", got.Output)
	}
	p.is("refs/synced/"+p.uuid+"/main", "main")
	p.is("refs/heads/topic", "main")
	p.is("refs/tags/v1", "main~1")
	p.is("refs/tags/v2", "v2")
	p.is("refs/synced/"+p.uuid+"/"+aliceUUID+"/a", "main~1")
	if tracking := git(t, p.client, "for-each-ref", "refs/remotes"); strings.Contains(tracking, "topic") {
		t.Errorf("remote-tracking branches are\n%s", tracking)
	}
}

// The fallback ref of another that isn't merged goes on to the next.
func TestPushRelays(t *testing.T) {
	p := newPushing(t, "--bare")
	theirs := git(t, p.client, "commit-tree", "-m", "theirs", "-p", "main", "main^{tree}")
	git(t, p.client, "update-ref", "refs/synced/"+otherUUID+"/main", theirs)
	for range 2 {
		got, err := p.pushAll()
		if err != nil || len(got.Taken) != 2 || len(got.Rejected) > 0 {
			t.Errorf("%+v, error %v", got, err)
		}
		p.is("refs/synced/"+p.uuid+"/"+otherUUID+"/main", theirs)
		theirs = git(t, p.client, "commit-tree", "-m", "rewritten", "-p", "main", "main^{tree}")
		git(t, p.client, "update-ref", "refs/synced/"+otherUUID+"/main", theirs)
	}
}

func TestPushNothing(t *testing.T) {
	p := newPushing(t, "--bare")
	for _, tips := range [][]Tip{nil, {{"refs/heads/gone", git(t, p.client, "rev-parse", "main")}}, {{"refs/notes/x", ""}}, {{"refs/heads/m*", ""}}} {
		if got, err := p.repo.Push(t.Context(), "xmpp::/nowhere", tips, HooksDir(p.data)); err != nil || len(got.Taken)+len(got.Rejected) > 0 {
			t.Errorf("%v: %+v, error %v", tips, got, err)
		}
	}
	if _, err := p.repo.Push(t.Context(), "--all", nil, HooksDir(p.data)); err == nil {
		t.Error("a URL of nobody's is accepted")
	}
}

func TestPushMany(t *testing.T) {
	p := newPushing(t, "--bare")
	one := git(t, p.client, "rev-parse", "main")
	var refs strings.Builder
	const n = 250
	for i := range n {
		fmt.Fprintf(&refs, "%s refs/heads/%s%d\n", one, strings.Repeat("x", 80), i)
	}
	writeFile(t, p.client+"/.git/packed-refs", refs.String(), 0o644)
	writeFile(t, p.client+"/.git/hooks/pre-push", "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9 10; do echo "+strings.Repeat("y", 3500)+"; done >&2\n", 0o755)
	git(t, p.client, "update-ref", "refs/heads/main", one)
	got, err := p.pushAll()
	if err != nil || len(got.Taken) != n+1 {
		t.Errorf("%d taken, error %v", len(got.Taken), err)
	}
	if there := git(t, p.server, "for-each-ref", "--format=x", "refs/heads"); strings.Count(there, "x") != n+1 {
		t.Errorf("there are %s", there)
	}
	size := 0
	for _, line := range got.Output {
		size += len(line)
	}
	if size < outputLimit/2 || size > outputLimit {
		t.Errorf("%d bytes of output", size)
	}
}

func TestPushFails(t *testing.T) {
	p := newPushing(t, "--bare")
	commit(t, p.client, "two", "two")
	tips, err := p.repo.Tips(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.repo.Push(t.Context(), "xmpp::/nowhere", tips, HooksDir(p.data))
	if err == nil || !strings.Contains(err.Error(), "git push: exit status 128: ") || len(got.Taken)+len(got.Rejected) > 0 {
		t.Errorf("%+v, error %v", got, err)
	}
	writeFile(t, p.client+"/.git/hooks/pre-push", "#!/bin/sh\nexit 1\n", 0o755)
	if got, err = p.pushAll(); err == nil || len(got.Taken)+len(got.Rejected) > 0 {
		t.Errorf("%+v, error %v", got, err)
	}
	writeFile(t, p.client+"/.git/hooks/pre-push", "#!/bin/sh\n", 0o755)
	p.hook("update", "exit 1")
	if got, err = p.pushAll(); err != nil || len(got.Rejected) != 1 || got.Rejected[0].Why != "[remote rejected] (hook declined)" {
		t.Errorf("%+v, error %v", got, err)
	}
}

// A push whose end the other side doesn't report hasn't been refused.
func TestPushIsCutOff(t *testing.T) {
	p := newPushing(t, "--bare")
	commit(t, p.client, "two", "two")
	p.hook("pre-receive", "kill -9 $PPID")
	got, err := p.pushAll()
	if err == nil || len(got.Taken)+len(got.Rejected) > 0 {
		t.Errorf("%+v, error %v", got, err)
	}
}

func TestParsePushed(t *testing.T) {
	for line, want := range map[string][3]string{
		"*\trefs/heads/a:refs/heads/a\t[new branch]":                {"refs/heads/a", "refs/heads/a", ""},
		" \trefs/heads/a:refs/heads/a\t1234..5678":                  {"refs/heads/a", "refs/heads/a", ""},
		"=\trefs/heads/a:refs/heads/a\t[up to date]":                {"refs/heads/a", "refs/heads/a", ""},
		"!\trefs/tags/v1:refs/tags/v1\t[rejected] (already exists)": {"refs/tags/v1", "refs/tags/v1", "[rejected] (already exists)"},
		"!\trefs/heads/a:refs/heads/a\t[remote rejected] (a\x1bb)":  {"refs/heads/a", "refs/heads/a", "[remote rejected] (a b)"},
		"*\trefs/heads/a:refs/synced/x/a\t[new reference]":          {"refs/heads/a", "refs/synced/x/a", ""},
		"To xmpp::bob@example.org/proj":                             {},
		"Done":                                                      {},
		"":                                                          {},
		"\t\t":                                                      {},
		"!\trefs/heads/a\t[rejected]":                               {},
	} {
		from, to, rejected, ok := parsePushed(line)
		if from != want[0] || to != want[1] || rejected != want[2] || ok != (want[0] != "") {
			t.Errorf("%q: %q, %q, %q, %v", line, from, to, rejected, ok)
		}
	}
}

func TestPlain(t *testing.T) {
	for line, want := range map[string]string{
		"a\tb\x1b[1mc\xff": "a b [1mc?",
		"10%\r20%\rdone\r": "done",
		"  ":               "",
	} {
		if got := plain(line); got != want {
			t.Errorf("%q: %q", line, got)
		}
	}
}
