package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// logTailBytes is how much of a server's log goes into an error.
const logTailBytes = 4 << 10

// size returns a file's present size in bytes, 0 if there is none.
func size(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// since returns what was written to a file after its first skip bytes, in lower
// case.
func since(file string, skip int64) string {
	text, err := os.ReadFile(file)
	if err != nil || int64(len(text)) < skip {
		return ""
	}
	return strings.ToLower(string(text[skip:]))
}

// saysPortTaken looks for a failed bind in what a log says after its first skip
// bytes.
func saysPortTaken(file string, skip int64) bool {
	said := since(file, skip)
	for _, sign := range []string{
		"address already in use",              // sshd
		"eaddrinuse",                          // ejabberd
		"port is in use", "is already in use", // Prosody
	} {
		if strings.Contains(said, sign) {
			return true
		}
	}
	return false
}

// tail returns the end of a file on lines of its own, or nothing.
func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil || len(text) == 0 {
		return ""
	}
	return fmt.Sprintf("\n--- end of %s:\n%s", filepath.Base(file), text[max(0, len(text)-logTailBytes):])
}
