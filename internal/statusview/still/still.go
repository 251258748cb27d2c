// Package still keeps the libraries of the live view from asking the terminal for its colours whenever this program starts, be it as git's helper:
// bubbletea does so in its init, which may take seconds and swallows what is typed. It knows no more than that.
//
// Go initialises packages in the order of their paths, as soon as what they import is (go.dev/ref/spec, Program initialization): this one
// imports nothing that bubbletea doesn't, and its path is before that.
package still

import "github.com/charmbracelet/lipgloss"

// What would be asked for is said. The view does not use it.
var _ = func() bool {
	lipgloss.SetHasDarkBackground(true)
	return true
}()
