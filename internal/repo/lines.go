package repo

// maxLineBytes bounds a line that git, a helper or a hook writes; a longer one is cut.
const maxLineBytes = 4096

// lines hands on what is written to it line by line, without the line's end.
type lines struct {
	each func(line string)
	line []byte
}

func (l *lines) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' {
			l.each(string(l.line))
			l.line = l.line[:0]
		} else if len(l.line) < maxLineBytes {
			l.line = append(l.line, b)
		}
	}
	return len(p), nil
}

// end hands on the last line if it has no end.
func (l *lines) end() {
	if len(l.line) > 0 {
		l.each(string(l.line))
		l.line = nil
	}
}
