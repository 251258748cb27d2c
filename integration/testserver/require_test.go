package testserver

import (
	"fmt"
	"strings"
	"testing"
)

// outcome records what Require does to a test.
type outcome struct {
	testing.TB
	fatal, skipped string
}

func (o *outcome) Helper()                           {}
func (o *outcome) Fatalf(format string, args ...any) { o.fatal = fmt.Sprintf(format, args...) }
func (o *outcome) Skipf(format string, args ...any)  { o.skipped = fmt.Sprintf(format, args...) }

func TestRequireNamesWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv(RequireEnv, "")
	lenient := &outcome{}
	Require(lenient, Prosody)
	if lenient.fatal != "" || !strings.Contains(lenient.skipped, "prosody") {
		t.Errorf("without %s: fatal %q, skipped %q", RequireEnv, lenient.fatal, lenient.skipped)
	}
	t.Setenv(RequireEnv, "1")
	strict := &outcome{}
	Require(strict, Ejabberd)
	if !strings.Contains(strict.fatal, "erl") {
		t.Errorf("with %s: fatal %q, want it to name erl", RequireEnv, strict.fatal)
	}
}

func TestAvailableKnowsItsServers(t *testing.T) {
	if err := Available("openfire"); err == nil {
		t.Error("an unknown server is available")
	}
}
