package repo

import (
	"bytes"
	"iter"
	"strings"
)

// saidLimit is how many bytes of what hooks say are kept.
const saidLimit = 16 << 10

// Said is what hooks have said, of which the end is missing if it is too much. The zero value is ready for use.
type Said struct{ kept bytes.Buffer }

// Write never fails.
func (s *Said) Write(p []byte) (int, error) {
	_, _ = s.kept.Write(p[:min(len(p), saidLimit-s.kept.Len())])
	return len(p), nil
}

// Lines are its lines, without the space around them.
func (s *Said) Lines() iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(s.kept.String()) {
			if !yield(strings.TrimSpace(line)) {
				return
			}
		}
	}
}
