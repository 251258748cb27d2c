package integration

import (
	"bufio"
	"cmp"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// awaitFile waits until a file is there.
func awaitFile(t testing.TB, path string) {
	t.Helper()
	await(t, path, func() bool { _, err := os.Stat(path); return err == nil })
}

// await polls for an event that nothing tells of.
func await(t testing.TB, what string, happened func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for end := time.After(deadline); ; {
		if happened() {
			return
		}
		select {
		case <-ticker.C:
		case <-end:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// startLines starts a command and hands on the lines of its standard error.
func startLines(t *testing.T, cmd *exec.Cmd) <-chan string {
	t.Helper()
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(pipe); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	return lines
}

// awaitLine reads lines until one holds the text.
func awaitLine(t *testing.T, lines <-chan string, text string) {
	t.Helper()
	awaitMatch(t, lines, regexp.MustCompile(regexp.QuoteMeta(text)))
}

// awaitMatch reads lines until one matches.
func awaitMatch(t *testing.T, lines <-chan string, wanted *regexp.Regexp) string {
	t.Helper()
	for end := time.After(deadline); ; {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("the command ended without saying %q", wanted)
			}
			if wanted.MatchString(line) {
				return line
			}
		case <-end:
			t.Fatalf("waited in vain for %q", wanted)
		}
	}
}

// number is a number from the environment.
func number(t testing.TB, name string, otherwise int64) int64 {
	t.Helper()
	n, err := strconv.ParseInt(cmp.Or(os.Getenv(name), strconv.FormatInt(otherwise, 10)), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
