package main

import (
	"cmp"
	"io"
	"log/slog"

	"github.com/spf13/pflag"
)

// logFlags say what the log of a serve is like, on standard error.
type logFlags struct{ format, level string }

func (f *logFlags) define(flags *pflag.FlagSet) {
	flags.StringVar(&f.format, "log-format", "", "text or json: of the log on standard error (default text)")
	flags.StringVar(&f.level, "log-level", "", "debug, info, warn or error: the least that is logged (default info)")
}

// logLevels are what --log-level takes.
var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func (f logFlags) check() error {
	if _, ok := logLevels[cmp.Or(f.level, "info")]; !ok {
		return usagef("serve: --log-level %q: not one of debug, info, warn, error", f.level)
	}
	if format := cmp.Or(f.format, "text"); format != "text" && format != "json" {
		return usagef("serve: --log-format %q: not one of text, json", f.format)
	}
	return nil
}

// logTo has serve log to standard error. With GIT_XMPP_TRACE the log goes there instead, and only a user who asks for one has both.
func (s *setup) logTo(out io.Writer, f logFlags) {
	trace := s.settings.Trace
	if trace.Enabled && f == (logFlags{}) {
		return
	}
	level := logLevels[cmp.Or(f.level, "info")]
	if trace.Enabled && trace.File == "" { // which asks for all
		level = slog.LevelDebug
	}
	handler := f.handler(out, level)
	if trace.File != "" {
		handler = slog.NewMultiHandler(handler, s.log.Handler())
	}
	s.log = slog.New(handler)
}

func (f logFlags) handler(out io.Writer, level slog.Level) slog.Handler {
	options := &slog.HandlerOptions{Level: level}
	if f.format == "json" {
		return slog.NewJSONHandler(out, options)
	}
	return slog.NewTextHandler(out, options)
}
