package statusview

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
)

const (
	// wideBar and narrowBar are the columns of a bar; a view of fewer columns than wideView has narrow ones.
	wideBar, narrowBar, wideView = 20, 10, 80
	// indent is what a detail has before it that is on a line of its own.
	indent = "    "
	// gap is between a title and its detail.
	gap = "  "
)

// A Style is how a view looks on a terminal.
type Style struct {
	signs glyphs
	moods map[mood]lipgloss.Style
}

// NewStyle is the style for a renderer, which knows the colours that there are; ascii is without signs that not every terminal has.
func NewStyle(r *lipgloss.Renderer, ascii bool) *Style {
	s := &Style{signs: unicodeGlyphs, moods: map[mood]lipgloss.Style{
		plain: r.NewStyle(), good: r.NewStyle().Foreground(lipgloss.Color("2")), busy: r.NewStyle().Foreground(lipgloss.Color("6")),
		bad: r.NewStyle().Foreground(lipgloss.Color("1")).Bold(true), faint: r.NewStyle().Faint(true), strong: r.NewStyle().Bold(true),
	}}
	if ascii {
		s.signs = asciiGlyphs
	}
	return s
}

func (s *Style) paint(m mood, text string) string { return s.moods[m].Render(text) }

// A Frame is what is drawn into.
type Frame struct {
	Now           time.Time
	Width, Height int
	// First is the first line that is shown of those that don't all fit.
	First int
	// Trouble is why there is no newer answer, and Since since when.
	Trouble string
	Since   time.Time
}

// Draw draws the newest answer: at most so many lines of at most so many columns. last is the largest First at which all of the view is filled.
func (h *History) Draw(s *Style, f Frame) (text string, last int) {
	var head, body []string
	if d, ok := h.newest(); ok {
		head = append(head, s.title(d, f))
		body = s.body(h, d, f)
	}
	if f.Trouble != "" {
		head = append(head, s.paint(bad, fmt.Sprintf("%s %s", s.signs.no, f.Trouble))+s.paint(faint, s.signs.dot+age(f.Since, f.Now).String()))
	}
	room := max(1, f.Height-len(head)-1)
	last = max(0, len(body)-room)
	first := max(0, min(f.First, last))
	shown := body[first:min(len(body), first+room)]
	keys := "q: quit"
	if last > 0 {
		keys += fmt.Sprintf("%sup, down: lines %d to %d of %d", s.signs.dot, first+1, first+len(shown), len(body))
	}
	lines := append(append(head, shown...), s.paint(faint, keys))
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], f.Width, s.signs.more)
	}
	return strings.Join(lines[:min(len(lines), f.Height)], "\n"), last
}

// title is who serves.
func (s *Style) title(d Document, f Frame) string {
	mark := s.paint(good, s.signs.on+" online")
	if !d.Online {
		mark = s.paint(bad, s.signs.off+" offline: the xmpp server doesn't answer")
	}
	rest := fmt.Sprintf("repositories: %s%sserved for %s", d.served(), s.signs.dot, age(d.Since, f.Now))
	return s.paint(strong, clean(d.Account)) + gap + mark + s.paint(faint, s.signs.dot+rest)
}

// body is all that is shown of a document, however much that is.
func (s *Style) body(h *History, d Document, f Frame) (lines []string) {
	sc := &scene{History: h, Document: d, glyphs: s.signs, now: f.Now, bar: wideBar}
	if f.Width < wideView {
		sc.bar = narrowBar
	}
	for _, part := range sc.sections() {
		if len(part.rows) == 0 && part.summary == "" {
			continue
		}
		name := s.paint(strong, part.name)
		if part.summary != "" {
			name += gap + s.paint(faint, part.summary)
		}
		lines = append(append(lines, "", name), s.rows(part.rows, f.Width)...)
	}
	return lines
}

// rows are lines with title and detail beside each other, or below, where there is no room.
func (s *Style) rows(rows []row, width int) (lines []string) {
	marks, titles, details := 0, 0, 0
	for i := range rows {
		r := &rows[i]
		r.title, r.detail = clean(r.title), clean(r.detail)
		marks, titles, details = max(marks, ansi.StringWidth(r.mark)), max(titles, ansi.StringWidth(r.title)), max(details, ansi.StringWidth(r.detail))
	}
	beside := marks+1+titles+len(gap)+details <= width
	for _, r := range rows {
		mark := s.paint(r.mood, r.mark) + strings.Repeat(" ", marks+1-ansi.StringWidth(r.mark))
		if beside {
			lines = append(lines, mark+r.title+strings.Repeat(" ", titles-ansi.StringWidth(r.title))+gap+s.paint(faint, r.detail))
			continue
		}
		lines = append(lines, mark+r.title, indent+s.paint(faint, r.detail))
	}
	return lines
}
