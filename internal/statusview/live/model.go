package live

import (
	"errors"
	"time"

	"git-remote-xmpp/internal/statusview"
	tea "github.com/charmbracelet/bubbletea"
)

// A model is what the terminal shows.
type model struct {
	style   *statusview.Style
	history *statusview.History
	frame   statusview.Frame
	last    int // the largest First
}

// Init has nothing to begin with: its caller asks.
func (m *model) Init() tea.Cmd { return nil }

// Update takes a key, a size or a reply.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.frame.Width, m.frame.Height = msg.Width, msg.Height
	case tea.KeyMsg:
		return m, m.key(msg.String())
	case reply:
		m.take(msg)
	}
	return m, nil
}

// key does what a key is for.
func (m *model) key(name string) tea.Cmd {
	page := max(1, m.frame.Height/2)
	switch name {
	case "q", "ctrl+c", "esc":
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	case "up", "k":
		m.frame.First--
	case "down", "j":
		m.frame.First++
	case "pgup":
		m.frame.First -= page
	case "pgdown", " ":
		m.frame.First += page
	case "home":
		m.frame.First = 0
	case "end":
		m.frame.First = m.last
	}
	m.frame.First = max(0, min(m.frame.First, m.last))
	return nil
}

func (m *model) take(r reply) {
	if r.err == nil {
		m.history.Add(r.Document, r.at)
		m.frame.Trouble = ""
		return
	}
	if errors.Is(r.err, ErrGone) {
		m.history.Forget()
	}
	if text := r.err.Error(); text != m.frame.Trouble {
		m.frame.Trouble, m.frame.Since = text, r.at
	}
}

// View draws all.
func (m *model) View() string {
	if m.frame.Width == 0 { // the terminal hasn't told yet
		return ""
	}
	m.frame.Now = time.Now()
	text, last := m.history.Draw(m.style, m.frame)
	m.last = last
	return text
}
