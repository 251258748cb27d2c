package watch

import (
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// settledAfter is how old a file must be for its time to tell it from later
	// versions. git has the same rule for its index ("racy git").
	settledAfter = 2 * time.Second
	// maxPolledFiles is how many refs of a repository are looked at. Of one that
	// has more it is said each time that it has changed.
	maxPolledFiles = 100_000
)

var seed = maphash.MakeSeed()

// mark stands for the names, times and sizes of a repository's files.
type mark struct {
	sum     uint64
	settled bool // a later version would have another sum
}

// look marks what there is.
func look(gitDir string, what polled) mark {
	m := marker{now: time.Now(), settled: true}
	m.hash.SetSeed(seed)
	m.file(filepath.Join(gitDir, "reftable", "tables.list"))
	if what == all {
		for _, name := range []string{"HEAD", "packed-refs", "config", "config.worktree"} {
			m.file(filepath.Join(gitDir, name))
		}
		m.tree(filepath.Join(gitDir, "refs"))
	}
	return mark{m.hash.Sum64(), m.settled}
}

type marker struct {
	hash    maphash.Hash
	now     time.Time
	settled bool
	files   int
}

// tree marks all files in a folder and below it.
func (m *marker) tree(dir string) {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real // a walk doesn't follow links
	}
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			fmt.Fprintf(&m.hash, "%s\x00%v\n", path, err)
		case m.files >= maxPolledFiles || leadsElsewhere(path, e.Type()):
			m.settled = false // who knows what there is to see
		case !e.IsDir() && !strings.HasSuffix(path, ".lock"):
			m.file(path)
		}
		if m.files >= maxPolledFiles {
			return fs.SkipAll
		}
		return nil // also after an error: the rest counts
	})
}

func (m *marker) file(path string) {
	m.files++
	info, err := os.Stat(path)
	if err != nil {
		fmt.Fprintf(&m.hash, "%s\x00%v\n", path, err)
		return
	}
	changed := info.ModTime()
	fmt.Fprintf(&m.hash, "%s\x00%d %d\n", path, info.Size(), changed.UnixNano())
	if age := m.now.Sub(changed); age < settledAfter && age > -settledAfter {
		m.settled = false
	}
}
