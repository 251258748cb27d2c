package demo

import (
	"fmt"
	"io"
	"strings"
)

// A screen is where the demo is shown. After a failed write nothing more is written, and err says why.
type screen struct {
	out    io.Writer
	checks int // passed
	err    error
}

func (s *screen) print(text string) {
	if s.err == nil {
		_, s.err = io.WriteString(s.out, text)
	}
}

// say explains.
func (s *screen) say(format string, args ...any) { s.print(fmt.Sprintf(format, args...) + "\n") }

// typed shows a command as somebody types it.
func (s *screen) typed(who string, words []string, comment string) {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	s.print(who + "$ " + strings.Join(quoted, " ") + comment + "\n")
}

// passed shows that something is as it should be.
func (s *screen) passed(what string) {
	s.checks++
	s.print("  ok: " + what + "\n")
}

// quote writes a word as a POSIX shell reads it.
func quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@,+=>&"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
