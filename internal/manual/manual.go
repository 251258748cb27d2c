// Package manual reads the source of the manual's pages, so that tests can compare them with the program. Nothing else uses it.
package manual

import (
	"os"
	"strings"
)

// A Section is what is under a heading, up to the next one of whatever level.
type Section struct {
	Title   string
	Level   int      // 2 for those of a page, 3 for those within them
	Usage   []string // paragraphs of one line that begin in bold, without markup
	Entries []Entry
}

// An Entry is a term, or several, with what is said of it.
type Entry struct {
	Terms []string // without markup
	Text  string   // with markup
}

// Read reads a page.
func Read(path string) ([]Section, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var sections []Section
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		marks, title, isHeading := strings.Cut(line, "# ")
		if isHeading && strings.Trim(marks, "#") == "" {
			sections = append(sections, Section{Title: title, Level: len(marks) + 1})
			continue
		}
		if len(sections) == 0 || !strings.HasPrefix(line, "**") || i+1 == len(lines) {
			continue
		}
		s, next := &sections[len(sections)-1], lines[i+1]
		if about, isEntry := strings.CutPrefix(next, ": "); isEntry {
			s.Entries = append(s.Entries, Entry{strings.Split(plain(line), ", "), about})
		} else if next == "" && lines[i-1] == "" {
			s.Usage = append(s.Usage, plain(line))
		}
	}
	return sections, nil
}

// Find is the section of a title.
func Find(sections []Section, title string) (s Section, ok bool) {
	for _, s := range sections {
		if s.Title == title {
			return s, true
		}
	}
	return s, false
}

// Within are the sections in a section of a page.
func Within(sections []Section, title string) (found []Section) {
	inside := false
	for _, s := range sections {
		if s.Level == 2 {
			inside = s.Title == title
		} else if inside {
			found = append(found, s)
		}
	}
	return found
}

// plain is a text without markup.
func plain(s string) string { return strings.NewReplacer("*", "", "`", "", `\`, "").Replace(s) }
