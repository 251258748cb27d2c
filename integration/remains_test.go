package integration

import (
	"io/fs"
	"os"
	"path/filepath"
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
