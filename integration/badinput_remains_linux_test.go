package integration

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// remains lists what a push that was cut off has left in a repository.
func remains(t *testing.T, repository string) (left []string) {
	t.Helper()
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // it is being cleaned up
		}
		name := filepath.Base(path)
		if strings.HasPrefix(name, "tmp_") || strings.HasPrefix(name, "incoming-") || strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".keep") {
			left = append(left, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

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
