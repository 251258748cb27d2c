package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	maxHelperBytes = 64 << 20 // peak resident memory of the helper
	maxServeBytes  = 96 << 20 // the same of serve, without git's own processes
	// memoryFileBytes is the size of each of the files that are sent.
	memoryFileBytes = 10 << 20
	// peakEnv names the file to which helpers' peaks are written.
	peakEnv = "GIT_REMOTE_XMPP_TEST_PEAK"
	// peakProgramEnv is the program that is measured.
	peakProgramEnv = "GIT_REMOTE_XMPP_TEST_PROGRAM"
)

// Git starts the helper and waits for it, so nobody else learns how much memory it took. So git is given this
// test's binary under the helper's name, which runs the helper, measures it and does nothing else.
func init() {
	if file := os.Getenv(peakEnv); file != "" && filepath.Base(os.Args[0]) == "git-remote-xmpp" {
		os.Exit(runMeasured(os.Getenv(peakProgramEnv), file))
	}
}

// runMeasured runs the program in our place and adds a line with its peak in bytes and its processor time in nanoseconds to file. The kernel's
// figures cover what the program waited for as well, and this process when it forked: the program's own are at most that.
func runMeasured(program, file string) int {
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil || !ok {
		fmt.Fprintln(os.Stderr, "peak memory:", err)
		return 1
	}
	fmt.Fprintln(f, usage.Maxrss<<10, int64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())) // the first in kilobytes, on Linux
	if err := f.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "peak memory:", err)
		return 1
	}
	return max(cmd.ProcessState.ExitCode(), 0) // a signal's -1 isn't of interest
}

// Pushing and cloning needs little memory, however much is sent.
func TestMemory(t *testing.T) {
	for name, size := range map[string]int{testserver.Ejabberd: 200e6, testserver.Prosody: 40e6} {
		t.Run(name, func(t *testing.T) { memory(t, testserver.New(t, name, testserver.Options{}), size) })
	}
}

func memory(t *testing.T, s *testserver.Server, size int) {
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	served := bob.newRepo("proj", "--bare")
	d := bob.serve(served)
	for _, h := range []*home{bob, alice} {
		h.git(h.dir, "config", "--global", "core.bigFileThreshold", "1m") // git looks for no deltas: there are none in random data
		h.git(h.dir, "config", "--global", "core.compression", "0")
	}
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), "work")
	work := filepath.Join(alice.dir, "work")
	for n := range (size + memoryFileBytes - 1) / memoryFileBytes {
		if err := os.WriteFile(filepath.Join(work, strconv.Itoa(n)), benchRandom(memoryFileBytes), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pushed := alice.commit(work, "large")
	report := measureHelper(t, alice)

	begin := time.Now()
	alice.git(work, "push", "--quiet", "origin", "HEAD:main")
	pushTook, pushPeak := time.Since(begin), lastRun(t, report, 1).peak
	begin = time.Now()
	alice.git(alice.dir, "clone", "--quiet", "--no-checkout", "--branch", "main", "xmpp::bob@localhost/proj", "again")
	cloneTook, clonePeak := time.Since(begin), lastRun(t, report, 2).peak
	if got := alice.git(filepath.Join(alice.dir, "again"), "rev-parse", "HEAD"); got != pushed {
		t.Errorf("cloned %s, want %s", got, pushed)
	}
	servePeak := peakOf(t, d.cmd.Process.Pid)
	d.stop()

	t.Logf("%d MB over %s: helper %.1f MiB in the push (%.1f s), %.1f MiB in the clone (%.1f s); serve %.1f MiB", size/1e6, s.Name,
		mib(pushPeak), pushTook.Seconds(), mib(clonePeak), cloneTook.Seconds(), mib(servePeak))
	if peak := max(pushPeak, clonePeak); peak >= maxHelperBytes {
		t.Errorf("the helper took %.1f MiB, at most %.0f are allowed", mib(peak), mib(maxHelperBytes))
	}
	if servePeak >= maxServeBytes {
		t.Errorf("serve took %.1f MiB, at most %.0f are allowed", mib(servePeak), mib(maxServeBytes))
	}
}

func mib(bytes int) float64 { return float64(bytes) / (1 << 20) }

// measureHelper has git in a home run the helper by way of runMeasured. The result is the file with the peaks.
func measureHelper(t testing.TB, h *home) (report string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "git-remote-xmpp")); err != nil {
		t.Fatal(err)
	}
	report = filepath.Join(dir, "peaks")
	h.env = append(h.env, peakEnv+"="+report, peakProgramEnv+"="+filepath.Join(binDir, "git-remote-xmpp"))
	for i, setting := range h.env {
		if path, ok := strings.CutPrefix(setting, "PATH="); ok {
			h.env[i] = "PATH=" + dir + string(os.PathListSeparator) + path
		}
	}
	return report
}

// A measuredRun is a run of the helper, by what runMeasured has written.
type measuredRun struct {
	peak      int // bytes
	processor time.Duration
}

// measuredRuns are all runs that are in a report.
func measuredRuns(t testing.TB, report string) (runs []measuredRun) {
	t.Helper()
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var r measuredRun
		var took int64
		if _, err := fmt.Sscanln(line, &r.peak, &took); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		r.processor = time.Duration(took)
		runs = append(runs, r)
	}
	return runs
}

// lastRun is the last of the want runs in a report.
func lastRun(t testing.TB, report string, want int) measuredRun {
	t.Helper()
	runs := measuredRuns(t, report)
	if len(runs) != want {
		t.Fatalf("%d runs of the helper were measured, want %d", len(runs), want)
	}
	return runs[want-1]
}

// highestPeak is that of all runs in a report.
func highestPeak(t testing.TB, report string) (peak int) {
	t.Helper()
	for _, r := range measuredRuns(t, report) {
		peak = max(peak, r.peak)
	}
	return peak
}

// peakOf is the peak resident memory of a process that runs, by proc(5).
func peakOf(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, err := strconv.Atoi(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))))
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("process %d has no VmHWM", pid)
	return 0
}
