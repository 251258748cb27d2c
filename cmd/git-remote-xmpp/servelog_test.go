package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/internal/config"
)

// Without a flag serve logs as ever; with one as it says, beside a trace that goes to a file.
func TestServeLog(t *testing.T) {
	text := func(levels ...string) string { return " " + strings.Join(levels, " ") }
	for name, c := range map[string]struct {
		flags          logFlags
		trace          config.Trace
		stderr, traced string
		json           bool
	}{
		"by default":         {stderr: text("INFO", "WARN", "ERROR")},
		"debug":              {flags: logFlags{level: "debug"}, stderr: text("DEBUG", "INFO", "WARN", "ERROR")},
		"warn":               {flags: logFlags{level: "warn"}, stderr: text("WARN", "ERROR")},
		"error":              {flags: logFlags{"text", "error"}, stderr: text("ERROR")},
		"json":               {flags: logFlags{format: "json"}, stderr: text("INFO", "WARN", "ERROR"), json: true},
		"trace":              {trace: config.Trace{Enabled: true, File: "trace"}, traced: text("DEBUG", "INFO", "WARN", "ERROR")},
		"trace and log":      {flags: logFlags{"json", "error"}, trace: config.Trace{Enabled: true, File: "trace"}, stderr: text("ERROR"), traced: text("DEBUG", "INFO", "WARN", "ERROR"), json: true},
		"trace there":        {trace: config.Trace{Enabled: true}, stderr: text("DEBUG", "INFO", "WARN", "ERROR")},
		"trace there, json ": {flags: logFlags{"json", "error"}, trace: config.Trace{Enabled: true}, stderr: text("DEBUG", "INFO", "WARN", "ERROR"), json: true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.flags.check(); err != nil {
				t.Fatal(err)
			}
			var stderr strings.Builder
			file := ""
			if c.trace.File != "" {
				file = filepath.Join(t.TempDir(), "trace")
				c.trace.File = file
			}
			s := &setup{settings: config.Settings{Trace: c.trace}, log: slog.New(slog.DiscardHandler)}
			if err := s.openTrace(stdio{err: &stderr, out: io.Discard}); err != nil {
				t.Fatal(err)
			}
			s.logTo(&stderr, c.flags)
			s.log.Debug("said", "as", "DEBUG")
			s.log.Info("said", "as", "INFO")
			s.log.Warn("said", "as", "WARN")
			s.log.Error("said", "as", "ERROR")
			s.close()
			traced := ""
			if file != "" {
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				traced = string(content)
			}
			if got := levelsIn(t, stderr.String(), c.json); got != c.stderr {
				t.Errorf("on standard error there is%s, want%s: %s", got, c.stderr, stderr.String())
			}
			if got := levelsIn(t, traced, false); got != c.traced {
				t.Errorf("in the trace there is%s, want%s: %s", got, c.traced, traced)
			}
		})
	}
	for _, bad := range []logFlags{{format: "xml"}, {level: "loud"}, {level: "INFO"}} {
		if bad.check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// levelsIn are the levels of a log's lines.
func levelsIn(t *testing.T, log string, asJSON bool) (levels string) {
	t.Helper()
	for line := range strings.Lines(log) {
		var record struct {
			Level, Msg, As string
		}
		if asJSON {
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		} else {
			_, record.As, _ = strings.Cut(strings.TrimSpace(line), " as=")
			_, rest, _ := strings.Cut(line, " level=")
			record.Level, _, _ = strings.Cut(rest, " ")
			record.Msg = "said"
		}
		if record.Level != record.As || record.Msg != "said" {
			t.Errorf("a line %q", line)
		}
		levels += " " + record.Level
	}
	return levels
}
