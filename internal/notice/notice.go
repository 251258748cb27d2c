// Package notice writes lines for people to the standard error of git's helper: lines that stay, and one that says what is waited for, which on a
// terminal is updated in place, and gone when there is nothing to wait for.
//
// It knows the terminal, and that git draws its meters on the same. It must not know what is said, nor why.
package notice

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// eraseRest erases a line from the cursor on (ECMA-48, EL).
const eraseRest = "\x1b[K"

// redrawEvery is how often the line says anew how long it takes.
const redrawEvery = time.Second

// A Writer writes to a terminal, or to anything else. What is written to it as such stays.
type Writer struct {
	ctx context.Context
	out io.Writer
	// columns are those of the terminal; 0 if there is none, or if somebody else has it now.
	columns  func() int
	terminal bool

	mu     sync.Mutex
	quiet  bool
	yields bool
	closed bool
	lines  []*Line // that say something; the last one is shown
	shown  int     // columns that the line takes now
	redraw *time.Timer
}

// New returns a writer to a file, which may be a terminal, or to anything else. [Writer.Close] must be called at its end; ctx is done if that comes by a signal.
func New(ctx context.Context, out io.Writer) *Writer {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &Writer{ctx: ctx, out: out}
	}
	return onTerminal(ctx, out, func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || !isForeground(file) {
			return 0
		}
		return width
	})
}

func onTerminal(ctx context.Context, out io.Writer, columns func() int) *Writer {
	return &Writer{ctx: ctx, out: out, columns: columns, terminal: true}
}

// IsTerminal tells whether lines are updated in place.
func (w *Writer) IsTerminal() bool { return w.terminal }

// Quiet has nothing said of what is waited for.
func (w *Writer) Quiet(quiet bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.quiet = quiet
	w.drawLocked()
}

// Yield leaves the terminal to git, or takes it back: two can't draw in place.
func (w *Writer) Yield(yield bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.yields != yield {
		w.yields = yield
		w.drawLocked()
	}
}

// Write writes what stays.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.eraseLocked()
	return w.out.Write(p) // the line is back when it is drawn the next time
}

// Close takes the line away for good.
func (w *Writer) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.drawLocked()
}

// A Line says what is waited for, as long as it is.
type Line struct {
	// Timed has it say for how long, too, where it is updated in place.
	Timed bool

	w     *Writer
	text  string // empty: nothing
	since time.Time
}

// Line returns one that says nothing yet.
func (w *Writer) Line() *Line { return &Line{w: w, Timed: true} }

// Set says what is waited for. Without a terminal that is a line that stays, unless the last one said the same.
func (l *Line) Set(text string) {
	w := l.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || text == l.text {
		return
	}
	if l.text == "" {
		l.since = time.Now()
		w.lines = append(w.lines, l)
	}
	l.text = text
	if w.terminal {
		w.drawLocked()
	} else if !w.quiet {
		fmt.Fprintln(w.out, text)
	}
}

// Clear takes the line away.
func (l *Line) Clear() { l.Done("") }

// Done takes the line away. Without a terminal it says what has become of that.
func (l *Line) Done(text string) {
	w := l.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.text == "" {
		return
	}
	l.text = ""
	w.lines = slices.DeleteFunc(w.lines, func(other *Line) bool { return other == l })
	if w.terminal {
		w.drawLocked()
	} else if text != "" && !w.quiet && !w.closed {
		fmt.Fprintln(w.out, text)
	}
}

// drawLocked shows the last of the lines, in so many columns that the terminal doesn't go to the next one, and leaves the cursor at its begin, where git's
// meters leave it, too: whoever writes next writes over it.
func (w *Writer) drawLocked() {
	if !w.terminal {
		return
	}
	if w.redraw != nil {
		w.redraw.Stop()
	}
	if len(w.lines) == 0 || w.quiet || w.yields || w.closed || w.ctx.Err() != nil {
		w.eraseLocked()
		return
	}
	w.redraw = time.AfterFunc(redrawEvery, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.drawLocked()
	})
	width := w.columns() - 1
	if width <= 0 {
		return
	}
	l := w.lines[len(w.lines)-1]
	text := l.text
	if l.Timed {
		text = fmt.Sprintf("%s (%s)", text, time.Since(l.since).Round(time.Second))
	}
	text = ansi.Truncate(text, width, "")
	// What was there before may be a meter of git's: it is covered by blanks to the end.
	fmt.Fprintf(w.out, "\r%s%s\r", text, strings.Repeat(" ", width-ansi.StringWidth(text)))
	w.shown = width
}

func (w *Writer) eraseLocked() {
	switch kind := os.Getenv("TERM"); {
	case w.shown == 0:
	case w.ctx.Err() != nil && kind != "" && kind != "dumb":
		fmt.Fprint(w.out, eraseRest) // git may be gone, and the shell have asked for the next command
	default:
		fmt.Fprintf(w.out, "\r%s\r", strings.Repeat(" ", w.shown))
	}
	w.shown = 0
}
