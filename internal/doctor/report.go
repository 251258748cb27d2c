// Package doctor checks the way from an account's server to a peer's refs, step by step, and says what it found and what to do about it.
//
// It asks those who do the work otherwise, transport and client, and changes nothing: no key is pinned, no invite redeemed, nothing noted of what peers
// say. It must not know git's commands, settings or where their values come from.
package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// A State is how a step went.
type State string

// The states.
const (
	OK     State = "ok"
	Failed State = "failed"
	None   State = "none" // doesn't apply, or can't be known since another step failed
)

// A Step is one thing that was looked at.
type Step struct {
	Remote   string `json:"remote,omitempty"` // empty: of this machine, or its server
	Name     string `json:"name"`
	State    State  `json:"state"`
	Evidence string `json:"evidence"`
	Advice   string `json:"advice,omitempty"` // what to do
}

// Steps are those of a run, in order.
type Steps []Step

func (s *Steps) add(state State, name, evidence, advice string) {
	*s = append(*s, Step{Name: name, State: state, Evidence: oneLine(evidence), Advice: oneLine(advice)})
}

// OK adds a step that went well.
func (s *Steps) OK(name, format string, args ...any) {
	s.add(OK, name, fmt.Sprintf(format, args...), "")
}

// None adds a step that doesn't apply.
func (s *Steps) None(name, format string, args ...any) {
	s.add(None, name, fmt.Sprintf(format, args...), "")
}

// Fail adds a step that failed; advice is for what the error doesn't say itself.
func (s *Steps) Fail(name string, err error, advice string) { s.add(Failed, name, err.Error(), advice) }

// advise adds to the last step what would be better.
func (s Steps) advise(format string, args ...any) {
	s[len(s)-1].Advice = oneLine(fmt.Sprintf(format, args...))
}

// Failures counts the steps that failed.
func (s Steps) Failures() (n int) {
	for _, step := range s {
		if step.State == Failed {
			n++
		}
	}
	return n
}

func oneLine(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", ": ") }

var marks = map[State]string{OK: "✓", Failed: "✗", None: "–"}

// Print writes the steps for people.
func (s Steps) Print(w io.Writer) error {
	var text strings.Builder
	remote := ""
	for _, step := range s {
		if step.Remote != remote {
			remote = step.Remote
			fmt.Fprintf(&text, "%s\n", remote)
		}
		fmt.Fprintf(&text, "%s %-8s  %s\n", marks[step.State], step.Name, step.Evidence)
		if step.Advice != "" {
			fmt.Fprintf(&text, "  %-8s  → %s\n", "", step.Advice)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// PrintJSON writes the steps for scripts.
func (s Steps) PrintJSON(w io.Writer, software string) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		Software string `json:"software"`
		OK       bool   `json:"ok"`
		Steps    Steps  `json:"steps"`
	}{software, s.Failures() == 0, s})
}
