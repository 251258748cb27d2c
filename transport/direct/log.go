package direct

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// loggers makes the loggers that pion wants: what it warns of is for a trace, the rest is dropped unformatted.
type loggers struct{ log *slog.Logger }

func (f loggers) NewLogger(scope string) logging.LeveledLogger { return logger{f.log, scope} }

type logger struct {
	log   *slog.Logger
	scope string
}

func (l logger) Trace(string)          {}
func (l logger) Tracef(string, ...any) {}
func (l logger) Debug(string)          {}
func (l logger) Debugf(string, ...any) {}
func (l logger) Info(string)           {}
func (l logger) Infof(string, ...any)  {}

func (l logger) Warn(msg string) { l.log.Debug(msg, "scope", l.scope) }
func (l logger) Warnf(format string, args ...any) {
	l.log.Debug(fmt.Sprintf(format, args...), "scope", l.scope)
}
func (l logger) Error(msg string) { l.log.Debug(msg, "scope", l.scope) }
func (l logger) Errorf(format string, args ...any) {
	l.log.Debug(fmt.Sprintf(format, args...), "scope", l.scope)
}
