package integration

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// snapshot is what lies in folders: a description of each file, by its path.
func snapshot(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			files[path], err = describe(path, d)
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return files
}

// describe is a file's mode and a hash of what is in it.
func describe(path string, d fs.DirEntry) (string, error) {
	info, err := d.Info()
	if err != nil || !info.Mode().IsRegular() {
		return info.Mode().String(), err
	}
	content, err := os.ReadFile(path)
	return fmt.Sprintf("%v %x", info.Mode(), sha256.Sum256(content)), err
}

func sameSnapshot(t *testing.T, before, after map[string]string) {
	t.Helper()
	paths := maps.Clone(before)
	maps.Copy(paths, after)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if before[path] != after[path] {
			t.Errorf("%s has changed: %q is now %q", path, before[path], after[path])
		}
	}
}
