//go:build unix

package integration

import (
	"fmt"
	"html"
	"os"
	"regexp"
	"strings"
	"testing"
)

// pictureEnv names the file that a picture of the live view is kept in: STATUS_PICTURE=../doc/status.svg go test -run TestStatusLive ./integration
const pictureEnv = "STATUS_PICTURE"

// The columns and rows of a picture in pixels, and what is left free around them.
const columnPixels, rowPixels, marginPixels = 8.4, 19, 14

// keepPicture keeps what a screen shows, if it is asked to.
func keepPicture(t *testing.T, s *screen) {
	t.Helper()
	path := os.Getenv(pictureEnv)
	if path == "" {
		return
	}
	s.await("█{6}")
	lines := strings.Split(strings.TrimRight(s.tmux("capture-pane", "-p", "-e"), "\n"), "\n")
	if err := os.WriteFile(path, []byte(svg(lines)), 0o644); err != nil { //nolint:gosec // a document
		t.Fatal(err)
	}
}

// looks are what the codes of colours and weights (ECMA-48, SGR) look like.
var looks = map[string]string{
	"1": `font-weight="bold"`, "2": `opacity="0.65"`, "31": `fill="#f2777a"`, "32": `fill="#8fce7a"`, "36": `fill="#66c5cc"`,
}

var sgr = regexp.MustCompile(`\x1b\[([\d;]*)m`)

// svg draws lines of a terminal.
func svg(lines []string) string {
	var out strings.Builder
	widest := 0
	for _, line := range lines {
		widest = max(widest, len([]rune(sgr.ReplaceAllString(line, ""))))
	}
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#d8d8d8">`+"\n",
		float64(widest)*columnPixels+2*marginPixels, len(lines)*rowPixels+2*marginPixels)
	fmt.Fprintln(&out, `<title>git-remote-xmpp status on a terminal</title>`+"\n"+`<rect width="100%" height="100%" rx="8" fill="#1d1f21"/>`)
	on := map[string]bool{}
	for i, line := range lines {
		column := 0
		for len(line) > 0 {
			text, codes, rest := nextPiece(line)
			if n := len([]rune(text)); strings.TrimSpace(text) != "" {
				// Each piece has its place and its length, so that columns are kept whatever the font.
				fmt.Fprintf(&out, `<text x="%.1f" y="%d" textLength="%.1f" xml:space="preserve"%s>%s</text>`+"\n",
					marginPixels+float64(column)*columnPixels, marginPixels+(i+1)*rowPixels-5, float64(n)*columnPixels, look(on), html.EscapeString(text))
			}
			column += len([]rune(text))
			for _, code := range codes {
				switch code {
				case "", "0", "39", "22":
					clear(on)
				default:
					on[code] = true
				}
			}
			line = rest
		}
	}
	return out.String() + "</svg>\n"
}

// nextPiece is the text up to the next change of its looks.
func nextPiece(line string) (text string, codes []string, rest string) {
	at := sgr.FindStringSubmatchIndex(line)
	if at == nil {
		return line, nil, ""
	}
	return line[:at[0]], strings.Split(line[at[2]:at[3]], ";"), line[at[1]:]
}

func look(on map[string]bool) (attributes string) {
	for _, code := range []string{"1", "2", "31", "32", "36"} {
		if on[code] {
			attributes += " " + looks[code]
		}
	}
	return attributes
}
