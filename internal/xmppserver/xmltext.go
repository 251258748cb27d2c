package xmppserver

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"mellium.im/xmpp/stream"
)

// textKind is where character data stands; it decides what may be in it.
type textKind int

const (
	contentText textKind = iota
	attributeText
	cdataText
)

// plainBytes are the ASCII characters that mean themselves everywhere.
var plainBytes = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '&' && c != '<' && c != '>'
	}
	t['\t'], t['\n'], t['\r'] = true, true, true
	return t
}()

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// checkText refuses what isn't well-formed character data (XML 1.0 §2.2, §2.4),
// and references to entities other than the five predefined ones (RFC 6120
// §11.1).
func checkText(b []byte, kind textKind) error {
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case plainBytes[c]:
			i++
		case c == '>':
			if kind == contentText && bytes.HasSuffix(b[:i], []byte("]]")) {
				return stream.NotWellFormed
			}
			i++
		case c == '&' && kind != cdataText:
			_, n, err := reference(b[i:])
			if err != nil {
				return err
			}
			i += n
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(b[i:])
			if !isChar(r) || r == utf8.RuneError && n == 1 {
				return stream.NotWellFormed
			}
			i += n
		case kind == cdataText && (c == '&' || c == '<'):
			i++
		default:
			return stream.NotWellFormed
		}
	}
	return nil
}

// isChar is the production Char of XML 1.0.
func isChar(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return true
	case r < 0x20, r == 0xFFFE, r == 0xFFFF:
		return false
	}
	return utf8.ValidRune(r)
}

// maxReferenceBytes is more than the longest reference that makes sense,
// &#x0010FFFF;.
const maxReferenceBytes = 16

// reference decodes the reference at the start of b ("&amp;", "&#x41;") and
// tells how many bytes it has.
func reference(b []byte) (r rune, n int, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxReferenceBytes)], ';')
	if end < 2 {
		return 0, 0, stream.NotWellFormed
	}
	switch name := string(b[1:end]); name {
	case "amp":
		return '&', end + 1, nil
	case "lt":
		return '<', end + 1, nil
	case "gt":
		return '>', end + 1, nil
	case "quot":
		return '"', end + 1, nil
	case "apos":
		return '\'', end + 1, nil
	default:
		if name[0] != '#' {
			return 0, 0, stream.RestrictedXML
		}
		r, err := characterReference(name[1:])
		return r, end + 1, err
	}
}

// characterReference decodes "65" or "x41".
func characterReference(digits string) (rune, error) {
	base := 10
	if len(digits) > 0 && digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil || v > utf8.MaxRune || !isChar(rune(v)) {
		return 0, stream.NotWellFormed
	}
	return rune(v), nil
}

// unescape decodes an attribute's value that checkText has accepted.
func unescape(b []byte) string {
	if bytes.IndexByte(b, '&') < 0 {
		return string(b)
	}
	var out []byte
	for len(b) > 0 {
		if b[0] != '&' {
			out, b = append(out, b[0]), b[1:]
			continue
		}
		r, n, err := reference(b)
		if err != nil {
			return string(out)
		}
		out, b = utf8.AppendRune(out, r), b[n:]
	}
	return string(out)
}

// nameEnd is where the qualified name at the start of b ends, 0 if there is
// none. Names are ASCII: what XML 1.0 allows beyond it differs between its
// editions, and with them between parsers.
func nameEnd(b []byte) int {
	first, colon := true, false
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			first = false
		case !first && (c >= '0' && c <= '9' || c == '-' || c == '.'):
		case !first && !colon && c == ':':
			first, colon = true, true
		case first:
			return 0
		default:
			return i
		}
	}
	return 0
}
