package notify

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxNameBytes, maxSubjectBytes and maxTextBytes bound what others have chosen, and a message.
	maxNameBytes    = 80
	maxSubjectBytes = 120
	maxTextBytes    = 1000
	// maxLines is how many pushes a message tells one by one.
	maxLines = 5
)

// A Push is what somebody has pushed to a repository.
type Push struct {
	Who        string
	Repository string
	Changes    []Change // the first of them
	More       int      // others
}

// A Change is what a push has done to one ref.
type Change struct {
	Ref     string // full name
	Waits   string // the branch that it is a fallback ref for; empty: it is none
	Created bool
	Deleted bool
	Commits int    // that came to it
	Many    bool   // there are at least so many
	Forced  bool   // others went from it
	Subject string // of its commit
}

// words is a push in one line.
func (p Push) words() string {
	var done []string
	subject := ""
	for _, c := range p.Changes {
		done = append(done, c.words())
		if subject == "" && !c.Deleted {
			subject = c.Subject
		}
	}
	if p.More > 0 {
		done = append(done, fmt.Sprintf("%d more", p.More))
	}
	line := fmt.Sprintf("%s pushed %s to %s", clean(p.Who, maxNameBytes), strings.Join(done, ", "), clean(p.Repository, maxNameBytes))
	if subject = clean(subject, maxSubjectBytes); subject != "" {
		line += ": " + subject
	}
	return line
}

// words is a ref's name with what has become of it.
func (c Change) words() string {
	var notes []string
	switch {
	case c.Deleted:
		notes = append(notes, "deleted")
	case c.Waits != "":
		notes = append(notes, "waits in "+clean(c.Ref, maxNameBytes))
	case c.Created:
		notes = append(notes, "new")
	case c.Forced:
		notes = append(notes, "forced")
	}
	switch {
	case c.Commits == 0:
	case c.Many:
		notes = append(notes, fmt.Sprintf("%d commits or more", c.Commits))
	case c.Commits == 1:
		notes = append(notes, "1 commit")
	default:
		notes = append(notes, fmt.Sprintf("%d commits", c.Commits))
	}
	if len(notes) == 0 {
		return c.name()
	}
	return c.name() + " (" + strings.Join(notes, ", ") + ")"
}

// name is what people call the ref.
func (c Change) name() string {
	name := c.Ref
	if c.Waits != "" {
		name = c.Waits
	} else if branch, ok := strings.CutPrefix(c.Ref, "refs/heads/"); ok {
		name = branch
	} else if tag, ok := strings.CutPrefix(c.Ref, "refs/tags/"); ok {
		name = "tag " + tag
	}
	return clean(name, maxNameBytes)
}

// text is one message about pushes, of which more weren't kept. It is empty if there are none.
func text(pushes []Push, more int) string {
	var lines []string
	for i, p := range pushes {
		if i == maxLines {
			more += len(pushes) - i
			break
		}
		if len(p.Changes)+p.More > 0 {
			lines = append(lines, p.words())
		}
	}
	switch {
	case more == 1:
		lines = append(lines, "and 1 more push")
	case more > 1:
		lines = append(lines, fmt.Sprintf("and %d more pushes", more))
	}
	return cut(strings.Join(lines, "\n"), maxTextBytes)
}

// clean is text of somebody else's on one line: without control characters, those that change the direction of what stands around them, and line breaks of any kind.
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs), r == utf8.RuneError, r&0xfffe == 0xfffe: // the last aren't characters, nor XML
			return -1
		}
		return r
	}, s)
	return cut(strings.Join(strings.Fields(s), " "), most)
}

// cut is the beginning of a text, with a mark if that isn't all.
func cut(s string, most int) string {
	const mark = "…"
	if len(s) <= most {
		return s
	}
	end := most - len(mark)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
