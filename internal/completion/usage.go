// Package completion says how a command line can go on, and has the scripts by which bash, zsh and fish ask.
//
// What there is to say it reads from the usage lines of the commands, so that they are all there is to keep right. It knows no
// command itself, and neither files, peers nor remotes: whoever asks finds those.
package completion

import (
	"slices"
	"strings"
)

// A Form is one way to call a command: "[--json] [REPO] | remove KEY" has two.
type Form struct {
	Usage string // of this form alone
	Flags []Flag
	Args  []Arg
}

// A Flag is a flag in a usage line.
type Flag struct {
	Name  string // with its dashes
	Value string // what stands for its value; empty if it takes none
	Many  bool   // it may be given again
}

// An Arg is an argument in a usage line: KEY, which stands for one, or set or bash|zsh, which are to be written so.
type Arg struct {
	Word string
	Many bool // it may be given again; then it is the last one
}

// words are those that are to be written as they are; none if Word stands for something.
func (a Arg) words() []string {
	if a.Word == strings.ToUpper(a.Word) {
		return nil
	}
	return strings.Split(a.Word, "|")
}

// Forms reads a usage line, without the command's name.
func Forms(usage string) (forms []Form) {
	depth := 0
	var words []string
	end := func() {
		forms = append(forms, readForm(words))
		words = nil
	}
	for _, word := range strings.Fields(usage) {
		if word == "|" && depth == 0 {
			end()
			continue
		}
		depth += strings.Count(word, "[") - strings.Count(word, "]")
		words = append(words, word)
	}
	end()
	return forms
}

// readForm reads words such as [--label, TEXT], and REPO...
func readForm(words []string) Form {
	form := Form{Usage: strings.Join(words, " ")}
	wantsValue := false
	for _, word := range words {
		bare, many := strings.TrimRight(strings.TrimLeft(word, "["), "]."), strings.Contains(word, "...")
		switch {
		case bare == "|": // between two of which only one is given
			wantsValue = false
		case strings.HasPrefix(bare, "--"):
			form.Flags = append(form.Flags, Flag{Name: bare, Many: many})
			wantsValue = !strings.Contains(word, "]")
		case wantsValue:
			last := &form.Flags[len(form.Flags)-1]
			last.Value, last.Many, wantsValue = bare, many, false
		default:
			form.Args = append(form.Args, Arg{bare, many})
		}
	}
	return form
}

// arg is the argument at a place.
func (f Form) arg(place int) (Arg, bool) {
	if n := len(f.Args); place >= n && n > 0 && f.Args[n-1].Many {
		place = n - 1
	}
	if place >= len(f.Args) {
		return Arg{}, false
	}
	return f.Args[place], true
}

// fits tells whether a form may begin with these arguments, and how many of them are words that it has.
func (f Form) fits(args []string) (words int, ok bool) {
	for i, given := range args {
		arg, ok := f.arg(i)
		if !ok {
			return 0, false
		}
		if want := arg.words(); slices.Contains(want, given) {
			words++
		} else if want != nil {
			return 0, false
		}
	}
	return words, true
}

// fitting are the forms that may be meant: where one has a word, others that take any don't count.
func fitting(forms []Form, args []string) (found []Form) {
	most := 0
	for _, f := range forms {
		words, ok := f.fits(args)
		if ok && words > most {
			found, most = nil, words
		}
		if ok && words == most {
			found = append(found, f)
		}
	}
	return found
}
