//go:build unix

package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const deadline = 30 * time.Second

// A manager is systemd's end of the protocol.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T, watchdog string) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for key, value := range map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": watchdog, "WATCHDOG_PID": ""} {
		t.Setenv(key, value)
	}
	return &manager{t, conn}
}

// told is the next message, or "" if there is none within a time.
func (m *manager) told(within time.Duration) string {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		m.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := m.conn.Read(buf)
	var timeout net.Error
	if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
		m.t.Fatal(err)
	}
	return string(buf[:n])
}

// report runs Report until stop is called, which waits for its end.
func report(t *testing.T, p Program) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Report(ctx, p)
	}()
	stop = func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(deadline):
			t.Error("it doesn't end")
		}
	}
	t.Cleanup(stop)
	return stop
}

// systemd hears that we are ready, that we are alive at half of its time as long as that is so, and that we end.
func TestReport(t *testing.T) {
	m := newManager(t, "400000")
	var stuck atomic.Bool
	hangs := make(chan struct{}, 100)
	stop := report(t, Program{
		Alive: func(ctx context.Context) error {
			if stuck.Load() {
				hangs <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		},
		Status: func() string { return "all is well" }, Log: slog.New(slog.DiscardHandler),
	})
	if got := m.told(deadline); got != "READY=1\nSTATUS=all is well" {
		t.Errorf("at first: %q", got)
	}
	began := time.Now()
	for range 3 {
		if got := m.told(deadline); got != "WATCHDOG=1\nSTATUS=all is well" {
			t.Errorf("while it lives: %q", got)
		}
	}
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("three signs of life in %v", took)
	}
	stuck.Store(true)
	<-hangs
	for m.told(time.Millisecond) != "" { // what was said before
		continue
	}
	<-hangs
	<-hangs
	if got := m.told(time.Millisecond); got != "" {
		t.Errorf("while it is stuck: %q", got)
	}
	stuck.Store(false)
	if got := m.told(deadline); got != "WATCHDOG=1\nSTATUS=all is well" {
		t.Errorf("when it lives again: %q", got)
	}
	stop()
	for got := m.told(deadline); got != "STOPPING=1"; got = m.told(deadline) {
		if got == "" {
			t.Fatal("it doesn't say that it ends")
		}
	}
}

// Without a watchdog it is ready, with the status; without a service manager nothing happens, and it doesn't wait.
func TestReportWithout(t *testing.T) {
	m := newManager(t, "")
	p := Program{Alive: func(context.Context) error { return nil }, Status: func() string { return "fine" }, Log: slog.New(slog.DiscardHandler)}
	stop := report(t, p)
	if got := m.told(deadline); got != "READY=1\nSTATUS=fine" {
		t.Errorf("at first: %q", got)
	}
	stop()
	if got := m.told(deadline); got != "STOPPING=1" {
		t.Errorf("at the end: %q", got)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	Report(context.Background(), p)
	var log strings.Builder
	p.Log = slog.New(slog.NewTextHandler(&log, nil))
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	Report(context.Background(), p)
	if !strings.Contains(log.String(), "the service manager isn't told") {
		t.Errorf("log: %s", log.String())
	}
}
