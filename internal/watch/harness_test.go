package watch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// gitsVariable names folders with a git in them each, as PATH does, that are tested beside the git in PATH (make gits).
	gitsVariable = "GIT_REMOTE_XMPP_TEST_GITS"
	// deadline is what an event may take on the slowest machine.
	deadline = 20 * time.Second
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// gits are the gits that there are.
func gits(t *testing.T) []string {
	t.Helper()
	list := []string{systemGit(t)}
	for _, dir := range filepath.SplitList(os.Getenv(gitsVariable)) {
		list = append(list, filepath.Join(dir, "git"))
	}
	return list
}

func systemGit(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("git")
	must(t, err)
	return path
}

// site is a folder with repositories of one git.
type site struct {
	t   *testing.T
	dir string
	git string
}

func newSite(t *testing.T, git string) *site {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return &site{t: t, dir: dir, git: git}
}

// run runs git in a folder and returns what it says.
func (s *site) run(dir string, args ...string) string { return s.feed(dir, "", args...) }

func (s *site) feed(dir, input string, args ...string) string {
	s.t.Helper()
	out, err := s.try(dir, input, args...)
	if err != nil {
		s.t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func (s *site) try(dir, input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), deadline)
	defer cancel()
	args = append([]string{"-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "protocol.file.allow=always"}, args...)
	cmd := exec.CommandContext(ctx, s.git, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(input)
	cmd.Env = []string{
		"PATH=" + filepath.Dir(s.git) + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES=" + s.dir,
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org",
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// repo makes a repository with a commit on main, and returns its top.
func (s *site) repo(name string, initArgs ...string) string {
	s.t.Helper()
	dir := filepath.Join(s.dir, name)
	s.run(s.dir, append(append([]string{"init", "-q"}, initArgs...), dir)...)
	s.run(dir, "symbolic-ref", "HEAD", "refs/heads/main")
	s.commit(dir)
	return dir
}

func (s *site) commit(dir string) {
	s.t.Helper()
	s.run(dir, "commit", "-q", "--allow-empty", "-m", "x")
}

func gitDir(dir string) string { return filepath.Join(dir, ".git") }

// ear hears what a watcher tells.
type ear struct {
	t *testing.T
	*Watcher
	allRoom int

	mu    sync.Mutex
	heard []string
	more  chan struct{}
	see   func() // runs whenever something is told
	logs  syncBuffer
}

// listen starts a watcher of git dirs.
func listen(t *testing.T, gitDirs ...string) *ear {
	t.Helper()
	e := &ear{t: t, allRoom: maxWatches, more: make(chan struct{}, 1)}
	w, err := New(e.hear, slog.New(slog.NewTextHandler(&e.logs, nil)))
	must(t, err)
	e.Watcher = w
	w.intervals = [...]time.Duration{tables: 100 * time.Millisecond, all: 200 * time.Millisecond} // no repository is there yet
	t.Cleanup(w.Close)
	for _, dir := range gitDirs {
		must(t, w.Add(dir))
	}
	return e
}

func (e *ear) hear(gitDir string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.see != nil {
		e.see()
	}
	e.heard = append(e.heard, gitDir)
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// until waits until what was heard is enough.
func (e *ear) until(what string, enough func(heard []string) bool) {
	e.t.Helper()
	timeout := time.After(deadline)
	for {
		e.mu.Lock()
		ok := enough(e.heard)
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-e.more:
		case <-timeout:
			e.t.Fatalf("%s: nothing of it was told in %v\n%s", what, deadline, e.logs.String())
		}
	}
}

// hears waits until a git dir is told.
func (e *ear) hears(gitDir string) {
	e.t.Helper()
	e.until(gitDir, func(heard []string) bool { return slices.Contains(heard, gitDir) })
}

func (e *ear) hasHeard(gitDir string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.heard, gitDir)
}

// forget forgets what was heard.
func (e *ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = nil
}

// syncBuffer is a buffer for a log.
type syncBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines counts the lines with a text.
func (b *syncBuffer) lines(text string) (n int) {
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// many is the input of update-ref that makes refs of main.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "create refs/heads/many/%d/%d main\n", i%10, i)
	}
	return b.String()
}
