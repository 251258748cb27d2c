package repo

import (
	"slices"
	"strings"
	"unicode"
)

// outputLimit is how many bytes of what is said during a push are kept.
const outputLimit = 64 << 10

// remoteFailure begins git's word for a ref of which it doesn't know what has become.
const remoteFailure = "[remote failure]"

// parsePushed reads a line of `git push --porcelain` about a ref (git-push(1), OUTPUT): where it was pushed from and to, and why it was rejected,
// "" if it wasn't.
func parsePushed(line string) (from, to, rejected string, ok bool) {
	flag, rest, _ := strings.Cut(line, "\t")
	refs, summary, ok := strings.Cut(rest, "\t")
	from, to, colon := strings.Cut(refs, ":")
	if !ok || !colon || len(flag) != 1 {
		return "", "", "", false
	}
	if flag == "!" {
		rejected = plain(summary)
	}
	return from, to, rejected, true
}

// keep adds a line to the output, if there is room, and returns what a log can take of it.
func (p *pusher) keep(line string) string {
	line = plain(line)
	if line != "" && len(line) < p.output {
		p.output -= len(line) + 1
		p.result.Output = append(p.result.Output, line)
	}
	return line
}

// plain is what a terminal would show of a line at its end, as plain text.
func plain(line string) string {
	line = strings.TrimRight(line, "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	line = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(line, "?"))
	return strings.Join(strings.Fields(line), " ")
}

// firstComplaint is the first line that says what went wrong: of the program first, whose words say most, of git otherwise.
func firstComplaint(have, line string) string {
	switch {
	case strings.HasPrefix(have, ownComplaint):
		return have
	case strings.HasPrefix(line, ownComplaint), have == "" && (strings.HasPrefix(line, "fatal: ") || strings.HasPrefix(line, "error: ")):
		return line
	}
	return have
}

// sooner is what was said before git's complaint, if that is but that the push has failed: a hook's word, as a rule.
func sooner(complaint string, output []string) string {
	if at := slices.Index(output, complaint); at > 0 && strings.HasPrefix(complaint, "error: failed to push some refs") {
		return output[at-1]
	}
	return complaint
}

// ownComplaint begins what this program says as git's helper.
const ownComplaint = "git-remote-xmpp: "
