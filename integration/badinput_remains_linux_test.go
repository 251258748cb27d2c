package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// processes lists those that run with a home, by their ids, with their command lines.
func (h *home) processes() map[int]string {
	found := make(map[int]string)
	list, _ := filepath.Glob("/proc/[0-9]*/environ") // fails for a bad pattern only
	for _, file := range list {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(append([]byte{0}, env...), []byte("\x00HOME="+h.dir+"\x00")) {
			continue // gone, a zombie, or somebody else's
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file))) // digits, by the pattern
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
	}
	return found
}

// onlyServes waits until of a home's processes nothing is left, but for a daemon if one is given.
func (h *home) onlyServes(t *testing.T, d *daemon) {
	t.Helper()
	want := 0
	if d != nil {
		want = d.cmd.Process.Pid
	}
	defer func() {
		if t.Failed() {
			t.Logf("processes of %s: %v", h.name, h.processes())
		}
	}()
	await(t, h.name+"'s processes to end", func() bool {
		running := h.processes()
		_, there := running[want]
		return len(running) == 0 || len(running) == 1 && there
	})
}
