package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"git-remote-xmpp/internal/agent"
	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/statusview"
	"git-remote-xmpp/internal/statusview/live"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// errNotServing says that there is no serve to ask.
var errNotServing = errors.New("no serve of this home answers: it isn't running, isn't logged in yet, or runs with xmpp.agent=never")

// statusCommand asks the serve of this home. It reads no settings and makes no files: it works anywhere.
func statusCommand(ctx context.Context, std stdio, args []string) error {
	var asJSON, once bool
	rest, err := parseFlags("status", std, args, func(flags *pflag.FlagSet) {
		flags.BoolVar(&asJSON, "json", false, "print JSON")
		flags.BoolVar(&once, "once", false, "print lines on a terminal, too, in the place of the live view")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("status: unexpected argument %q", rest[0])
	}
	dirs, err := config.FindDirs(nil)
	if err != nil {
		return err
	}
	document, err := agent.Status(ctx, dirs.Runtime)
	switch {
	case errors.Is(err, agent.ErrNone) && asJSON:
		_, err := fmt.Fprintln(std.out, `{"serving": false}`)
		return errors.Join(err, errNotServing)
	case errors.Is(err, agent.ErrNone):
		return errNotServing
	case err != nil:
		return fmt.Errorf("ask the serve of this home: %w", err)
	case asJSON:
		return indentJSON(std.out, document)
	}
	first, err := statusview.Parse(document)
	if err != nil {
		return err
	}
	if once || !isScreen(std) {
		return first.WriteLines(std.out, time.Now())
	}
	return live.Run(ctx, live.Options{In: std.in, Out: std.out, ASCII: !showsUnicode(), First: first, Ask: func(ctx context.Context) (statusview.Document, error) {
		return askStatus(ctx, dirs.Runtime)
	}})
}

// askStatus asks once more, for the live view.
func askStatus(ctx context.Context, dir string) (d statusview.Document, err error) {
	document, err := agent.Status(ctx, dir)
	switch {
	case errors.Is(err, agent.ErrNone), errors.Is(err, io.ErrUnexpectedEOF): // it has gone, or goes just now
		return d, live.ErrGone
	case err != nil:
		return d, err
	}
	return statusview.Parse(document)
}

// isScreen tells whether somebody sits at a terminal that can show a live view.
func isScreen(std stdio) bool {
	return os.Getenv("TERM") != "dumb" && isTerminal(std.in) && isTerminal(std.out)
}

func isTerminal(file any) bool {
	f, ok := file.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// showsUnicode tells whether signs outside of ASCII can be shown, by the locale.
func showsUnicode() bool {
	if runtime.GOOS == "windows" {
		return true
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := os.Getenv(name); value != "" {
			value = strings.ToUpper(value)
			return strings.Contains(value, "UTF-8") || strings.Contains(value, "UTF8")
		}
	}
	return false
}

// statusOf makes the document that serve gives.
func (s *setup) statusOf(server *serve.Server, pool *client.Pool) func(context.Context) ([]byte, error) {
	view := statusview.Document{Serving: true, Software: software(), Key: s.identity.Key.String(), Since: time.Now()}
	return func(ctx context.Context) ([]byte, error) {
		now := view
		now.Status = server.Status(ctx)
		now.Connections = append(now.Connections, s.outgoing(pool)...)
		return json.Marshal(now)
	}
}

// outgoing are the connections that serve has made for helpers.
func (s *setup) outgoing(pool *client.Pool) []serve.Connection {
	var list []serve.Connection
	for _, c := range pool.Connections() {
		peer, _ := s.store.ByKey(c.Key) // one that was removed has no label
		one := serve.Connection{
			JID: c.Peer.String(), Key: c.Key.String(), Label: peer.Label,
			Direction: serve.Outgoing, Since: c.Since, Streams: c.Streams,
		}
		one.SetPath(c.Path)
		list = append(list, one)
	}
	return list
}

// indentJSON prints a document as it is: it may be that of another release.
func indentJSON(w io.Writer, document []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, document, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(w)
	return err
}
