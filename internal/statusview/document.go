// Package statusview shows people what a serve is doing: its status as lines, and as a picture of a given width and height.
//
// It knows the JSON document that a serve answers with. It asks nobody, and knows no terminal: what it makes is text.
package statusview

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"git-remote-xmpp/internal/serve"
)

// A Document is what status --json prints.
type Document struct {
	Serving  bool      `json:"serving"`
	Software string    `json:"software"` // of the serve that answers
	Key      string    `json:"key"`      // fingerprint
	Since    time.Time `json:"since"`    // when it was ready
	serve.Status
}

// Parse reads the answer of a serve.
func Parse(text []byte) (d Document, err error) {
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("the serve of this home answers otherwise than this program expects: %w", err)
	}
	return d, nil
}

// Path is how a connection's packets go, and if it isn't directly, why.
func Path(c serve.Connection) string {
	text := route(c)
	if c.WhyInBand != "" {
		text = fmt.Sprintf("%s (%s)", text, c.WhyInBand)
	}
	return text
}

func route(c serve.Connection) string {
	if c.Address == "" {
		return c.Path
	}
	return fmt.Sprintf("%s to %s, %.1f ms", c.Path, c.Address, c.RoundTrip)
}

// Who is a peer in a word: its label, or the begin of its key.
func Who(label, key string) string {
	const shown = len("SHA256:") + 12
	if label == "" {
		return key[:min(len(key), shown)]
	}
	return label
}

func age(since, now time.Time) time.Duration { return max(0, now.Sub(since)).Round(time.Second) }

// size is a number of bytes for people.
func size(n uint64) string {
	const step = 1 << 10
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n)/step, []string{"KiB", "MiB", "GiB", "TiB"}
	unit := 0
	for ; value >= step && unit < len(units)-1; unit++ {
		value /= step
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

// clean is a text without what would move about on a terminal. What a serve tells was checked where it came in; a document may be that of another release.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}
