package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"git-remote-xmpp/internal/config"
	"golang.org/x/term"
)

// A terminal is where the user is asked.
type terminal struct {
	in  *os.File
	out io.Writer
}

// findTerminal returns nil if there is nobody to ask.
func (s *setup) findTerminal(std stdio) *terminal {
	in, ok := std.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) || !config.MayPrompt(s.settings) {
		return nil
	}
	return &terminal{in, std.err}
}

// ask asks for a line. It is empty if the user ends the input instead.
func (t *terminal) ask(ctx context.Context, prompt string) (string, error) {
	return t.read(ctx, prompt, func() (string, error) { return bufio.NewReader(t.in).ReadString('\n') })
}

// askSecret asks for a line that isn't shown.
func (t *terminal) askSecret(ctx context.Context, prompt string) (string, error) {
	return t.read(ctx, prompt, func() (string, error) {
		text, err := term.ReadPassword(int(t.in.Fd()))
		fmt.Fprintln(t.out) // that of the user isn't shown either
		return string(text), err
	})
}

func (t *terminal) read(ctx context.Context, prompt string, read func() (string, error)) (string, error) {
	state, err := term.GetState(int(t.in.Fd()))
	if err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	fmt.Fprint(t.out, prompt)
	type line struct {
		text string
		err  error
	}
	lines := make(chan line, 1)
	go func() { // a read from a terminal can't be called off: it ends with the program, at once if that is told to end
		text, err := read()
		lines <- line{text, err}
	}()
	select {
	case l := <-lines:
		if l.err != nil && !errors.Is(l.err, io.EOF) {
			return "", fmt.Errorf("terminal: %w", l.err)
		}
		return strings.TrimRight(l.text, "\r\n"), nil
	case <-ctx.Done():
		_ = term.Restore(int(t.in.Fd()), state) // or what is typed stays hidden
		fmt.Fprintln(t.out)
		return "", ctx.Err()
	}
}
