package watch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// limitVariable says in a test's own process which limit of inotify it has, and what it is.
const limitVariable = "WATCH_TEST_LIMIT"

// The kernel has no watches, or no watchers, left: a test is run again in a user namespace that has few of them.
func TestKernelLimits(t *testing.T) {
	if limit := os.Getenv(limitVariable); limit != "" {
		underLimit(t, limit)
		return
	}
	exe, err := os.Executable()
	must(t, err)
	for limit, says := range map[string]string{"max_inotify_watches 12": "no space left on device", "max_inotify_instances 0": "too many open files"} {
		t.Run(limit, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestKernelLimits$", "-test.v")
			cmd.Env = append(os.Environ(), limitVariable+"="+limit)
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			}
			out, err := cmd.CombinedOutput()
			if _, ran := err.(*exec.ExitError); err != nil && !ran {
				t.Skipf("no user namespace to be had: %v", err)
			}
			if err != nil || strings.Count(string(out), says) != 1 {
				t.Errorf("%v, want %q once\n%s", err, says, out)
			}
		})
	}
}

func underLimit(t *testing.T, limit string) {
	name, value, _ := strings.Cut(limit, " ")
	must(t, os.WriteFile("/proc/sys/user/"+name, []byte(value), 0))
	s := newSite(t, systemGit(t))
	watched, full := s.repo("watched"), s.repo("full")
	s.feed(full, many(50), "update-ref", "--stdin")
	e := listen(t, gitDir(watched), gitDir(full))
	for _, dir := range []string{full, watched} {
		e.forget()
		s.run(dir, "branch", "a/b/c")
		e.hears(gitDir(dir))
	}
	fmt.Println(e.logs.String())
	if polled := e.repos[gitDir(watched)].poll; polled != nothing && e.system != nil {
		t.Error("a repository that there is room for is polled")
	}
}

// While nobody takes events, more come than the kernel keeps: also those of a new folder are lost.
func TestOverflow(t *testing.T) {
	s := newSite(t, systemGit(t))
	dir, other := s.repo("proj"), s.repo("other")
	heads := filepath.Join(gitDir(dir), "refs", "heads")
	e := listen(t, gitDir(dir), gitDir(other))
	e.inbox.mu.Lock()
	for i := range 20_000 { // two events each; the kernel keeps 16,384
		must(t, os.WriteFile(filepath.Join(heads, fmt.Sprint(i%2)), []byte("x"), 0o600))
	}
	must(t, os.MkdirAll(filepath.Join(heads, "1-new", "2"), 0o700))
	e.inbox.mu.Unlock()
	e.hears(gitDir(other))
	if e.logs.lines("events of the file system were lost") == 0 {
		t.Error("nobody says so")
	}
	e.forget()
	must(t, os.WriteFile(filepath.Join(heads, "1-new", "2", "3"), []byte("x"), 0o600))
	e.hears(gitDir(dir))
}
