package repo

import (
	"context"
	"os/exec"
)

// A Lifeline does nothing here: Windows hands on no more than the standard files.
type Lifeline struct{}

// NewLifeline returns a Lifeline that does nothing.
func NewLifeline(*exec.Cmd) (*Lifeline, error) { return &Lifeline{}, nil }

// Started does nothing.
func (*Lifeline) Started() {}

// Cut does nothing.
func (*Lifeline) Cut() {}

func withLifeline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
