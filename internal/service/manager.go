// Package service is for a serve that the system runs: it tells systemd how it does, and installs it with systemd, launchd or the task scheduler of Windows.
//
// It must know neither what is served nor how: it is given a command line and functions that answer.
package service

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// statusEvery is how often the status is told where no watchdog wants to hear more often.
const statusEvery = 30 * time.Second

// A Program is what the service manager is told of.
type Program struct {
	// Alive goes once through what the program does, and returns when it has; it may hang with it.
	Alive func(context.Context) error
	// Status is how it does, in a line.
	Status func() string
	Log    *slog.Logger
}

// Report tells systemd, if that runs us, that we are ready, and then, until ctx is done, how we do. The watchdog hears of us only after a proof of life.
func Report(ctx context.Context, p Program) {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		p.Log.Warn("no watchdog", "err", err)
	}
	told, err := daemon.SdNotify(false, daemon.SdNotifyReady+"\nSTATUS="+p.Status())
	if err != nil {
		p.Log.Warn("the service manager isn't told", "err", err)
	}
	if !told {
		return
	}
	every := statusEvery
	if watchdog > 0 {
		every = min(every, watchdog/2)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			p.tell(daemon.SdNotifyStopping)
			return
		case <-ticker.C:
		}
		p.beat(ctx, every, watchdog > 0)
	}
}

// beat is one proof of life.
func (p Program) beat(ctx context.Context, within time.Duration, watched bool) {
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := p.Alive(bounded); err != nil {
		if ctx.Err() == nil {
			p.Log.Error("no sign of life", "err", err)
		}
		return
	}
	state := "STATUS=" + p.Status()
	if watched {
		state = daemon.SdNotifyWatchdog + "\n" + state
	}
	p.tell(state)
}

func (p Program) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		p.Log.Warn("the service manager isn't told", "err", err)
	}
}
