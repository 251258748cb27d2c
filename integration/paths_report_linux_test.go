package integration

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// fullPathsEnv is the environment variable that, when it is "1", has TestPaths transfer pathsPack on every kind of network, and print a table.
const fullPathsEnv = "PATHS_FULL"

// A pathsReport is the table, in the order of the tests' ends. It is nil if nobody wants it.
type pathsReport struct {
	mu   sync.Mutex
	rows []string
}

// newPathsReport makes a report that is printed at the end of the test.
func newPathsReport(t *testing.T) *pathsReport {
	if os.Getenv(fullPathsEnv) != "1" {
		return nil
	}
	r := &pathsReport{}
	t.Cleanup(func() {
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "network\twhat\tMB/s\tlongest stall\tpaths\n%s", strings.Join(r.rows, ""))
		if err := w.Flush(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// bytes is how much is to be transferred, which is less if nobody reads the report.
func (r *pathsReport) bytes(less int) int {
	if r != nil {
		return pathsPack
	}
	return cmp.Or(less, pathsPack)
}

// add adds a transfer that took its way.
func (r *pathsReport) add(network, what string, bytes int, m passage) {
	if r == nil {
		return
	}
	paths := slices.Clone(m.paths)
	for i, path := range paths {
		paths[i], _, _ = strings.Cut(path, " ") // without the reasons
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, fmt.Sprintf("%s\t%s\t%.1f\t%v\t%s\n", network, what, float64(bytes)/1e6/m.took.Seconds(), m.stall.Round(time.Millisecond), strings.Join(slices.Compact(paths), ", ")))
}
