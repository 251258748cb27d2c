package completion

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Command is what there is to know of one.
type Command struct {
	Name, Usage, About string
	FlagAbout          func(name string) string // what a flag is for; the name has no dashes
}

// A Candidate is a word that a command line can go on with.
type Candidate struct {
	Text, About string
	Also        []string // what it is found by besides its own begin, in upper and lower case
}

// A Kind says whether files may come where words may.
type Kind string

// What may come besides words. These are what the scripts know.
const (
	Words   Kind = "words"
	Folders Kind = "folders"
	Files   Kind = "files"
)

// An Answer is how a command line can go on.
type Answer struct {
	Kind       Kind
	Candidates []Candidate
}

// A Request is a command line without the program's name. The last word, which may be empty, is to be completed.
type Request struct {
	Commands []Command
	Words    []string
	Find     func(name string) []Candidate // what a name in usage lines stands for, such as KEY
}

// Answer says how the command line can go on.
func (r Request) Answer() Answer {
	answer := Answer{Kind: Words}
	if len(r.Words) == 0 {
		return answer
	}
	last := r.Words[len(r.Words)-1]
	if len(r.Words) == 1 {
		answer.add(last, r.commands())
		return answer
	}
	i := slices.IndexFunc(r.Commands, func(c Command) bool { return c.Name == r.Words[0] })
	if i < 0 {
		return answer
	}
	line := readLine(Forms(r.Commands[i].Usage), r.Words[1:len(r.Words)-1])
	forms := fitting(line.forms, line.args)
	name, value, isValue := strings.Cut(last, "=")
	switch {
	case line.open != nil:
		r.value(&answer, line.open.Value, "", last)
	case !line.noFlags && strings.HasPrefix(last, "--") && isValue:
		if flag := findFlag(line.forms, name); flag != nil {
			r.value(&answer, flag.Value, name+"=", value)
		}
	case !line.noFlags && strings.HasPrefix(last, "-"):
		answer.add(last, flagsOf(r.Commands[i], forms, line.given))
	default:
		for _, form := range forms {
			if arg, ok := form.arg(len(line.args)); ok {
				r.argument(&answer, arg, last)
			}
		}
	}
	return answer
}

// A line is what has been written already.
type line struct {
	forms   []Form
	args    []string
	given   []string // flags
	open    *Flag    // the last word is its value
	noFlags bool     // after --
}

func readLine(forms []Form, words []string) line {
	l := line{forms: forms}
	for _, word := range words {
		name, _, hasValue := strings.Cut(word, "=")
		switch {
		case l.open != nil:
			l.open = nil
		case l.noFlags || !strings.HasPrefix(word, "-"):
			l.args = append(l.args, word)
		case word == "--":
			l.noFlags = true
		default:
			l.given = append(l.given, name)
			if flag := findFlag(forms, name); flag != nil && flag.Value != "" && !hasValue {
				l.open = flag
			}
		}
	}
	return l
}

func findFlag(forms []Form, name string) *Flag {
	for _, form := range forms {
		if i := slices.IndexFunc(form.Flags, func(f Flag) bool { return f.Name == name }); i >= 0 {
			return &form.Flags[i]
		}
	}
	return nil
}

// flagsOf are the flags that can be given yet.
func flagsOf(c Command, forms []Form, given []string) []Candidate {
	var list []Candidate
	for _, form := range forms {
		for _, flag := range form.Flags {
			if flag.Many || !slices.Contains(given, flag.Name) {
				list = append(list, Candidate{Text: flag.Name, About: c.FlagAbout(strings.TrimPrefix(flag.Name, "--"))})
			}
		}
	}
	return append(list, Candidate{Text: "--help", About: "say how it is used"})
}

func (r Request) commands() (list []Candidate) {
	for _, c := range r.Commands {
		list = append(list, Candidate{Text: c.Name, About: c.About})
	}
	return list
}

// value adds the values of a flag. One without a choice, such as 24h, is an example.
func (r Request) value(answer *Answer, value, before, begin string) {
	if words := (Arg{Word: value}).words(); len(words) != 1 {
		r.arguments(answer, value, words, before, begin)
	}
}

func (r Request) argument(answer *Answer, arg Arg, begin string) {
	r.arguments(answer, arg.Word, arg.words(), "", begin)
}

// arguments adds words, or what a name stands for if there are none.
func (r Request) arguments(answer *Answer, name string, words []string, before, begin string) {
	var list []Candidate
	switch {
	case len(words) > 0:
		for _, word := range words {
			list = append(list, Candidate{Text: word})
		}
	case name == "COMMAND":
		list = r.commands()
	case name == "REPO" || name == "DIR":
		answer.Kind = Folders
	case name == "FILE":
		answer.Kind = Files
	default:
		list = r.Find(name)
	}
	for i := range list {
		list[i].Text = before + list[i].Text
	}
	answer.add(before+begin, list)
}

// add adds what begins so and isn't there yet. Shells put it on the command line as it is, so a word that would need quotes is none.
func (a *Answer) add(begin string, list []Candidate) {
	for _, c := range list {
		there := slices.ContainsFunc(a.Candidates, func(other Candidate) bool { return other.Text == c.Text })
		if !there && isPlain(c.Text) && c.begins(begin) {
			a.Candidates = append(a.Candidates, c)
		}
	}
}

func (c Candidate) begins(with string) bool {
	return strings.HasPrefix(c.Text, with) || with != "" && slices.ContainsFunc(c.Also, func(s string) bool {
		return strings.HasPrefix(strings.ToLower(s), strings.ToLower(with))
	})
}

func isPlain(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+=@,") == ""
}

// Print writes an answer as the scripts read it: the kind, and then a candidate on each line, with a tab before what it is about.
func (a Answer) Print(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintln(&text, a.Kind)
	for _, c := range a.Candidates {
		fmt.Fprintf(&text, "%s\t%s\n", c.Text, strings.Map(plainRune, c.About))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// plainRune has what is about a candidate stay on its line.
func plainRune(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}
