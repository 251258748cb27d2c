package demo

import (
	"context"
	"fmt"
	"strings"
)

// A scene is what happens one after another. After the first failure nothing happens any more, and err says
// what failed.
type scene struct {
	*screen
	ctx context.Context
	err error
}

// over tells whether nothing is to happen any more.
func (s *scene) over() bool {
	if s.err == nil {
		s.err = s.screen.err
	}
	return s.err != nil
}

// fail ends the scene.
func (s *scene) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// act begins a part of the story.
func (s *scene) act(title string) {
	if !s.over() {
		s.say("\n== %s", title)
	}
}

// equal checks that two values are the same, and neither is empty.
func (s *scene) equal(what, got, want string) {
	if s.over() {
		return
	}
	if got != want || got == "" {
		s.fail(fmt.Errorf("%w: %s: it is %q, not %q", ErrCheck, what, got, want))
		return
	}
	s.passed(what)
}

// empty checks that a command of git that tells what is wrong has nothing to tell.
func (s *scene) empty(what, got string) {
	if s.over() {
		return
	}
	if got != "" {
		s.fail(fmt.Errorf("%w: %s: %q", ErrCheck, what, got))
		return
	}
	s.passed(what)
}

// says checks that a command has printed some words, however many spaces are between them.
func (s *scene) says(output, words string) {
	if s.over() {
		return
	}
	if !strings.Contains(squeeze(output), squeeze(words)) {
		s.fail(fmt.Errorf("%w: git should say %q, and says %q", ErrCheck, words, squeeze(output)))
		return
	}
	s.passed("git says: " + words)
}

// squeeze puts one space between words.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
