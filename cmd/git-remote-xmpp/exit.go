package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/helper"
	"git-remote-xmpp/internal/lfs"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"github.com/spf13/pflag"
)

// The exit statuses, as the manual promises them.
const (
	exitDone    = 0
	exitRefused = 1 // the other side refused, or a command found a problem
	exitUsage   = 2
	exitServer  = 3 // our own XMPP server, or account
	exitNobody  = 4
	exitLost    = 5 // timed out, or connection lost for good
)

// usageError is wrong usage.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// exitStatus maps errors to exit statuses, in this one place.
func exitStatus(err error) int {
	var usage *usageError
	var url *config.URLError
	var value *config.ValueError
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return exitDone
	case errors.As(err, &usage), errors.As(err, &url), errors.As(err, &value), errors.Is(err, helper.ErrUsage), errors.Is(err, lfs.ErrUsage), errors.Is(err, peers.ErrBadInvite):
		return exitUsage
	case errors.Is(err, transport.ErrServer), errors.Is(err, config.ErrNoAccount), errors.Is(err, config.ErrNoPassword), errors.Is(err, config.ErrBadPassword):
		return exitServer
	case errors.Is(err, transport.ErrNobody), errors.Is(err, protocol.CodeNoRepository):
		return exitNobody
	case errors.Is(err, transport.ErrLost), errors.Is(err, tunnel.ErrTimeout), errors.Is(err, protocol.CodeTimeout):
		return exitLost
	default:
		return exitRefused
	}
}

// report tells an error in one line, unless git has told it.
func report(w io.Writer, err error) {
	if err == nil || errors.Is(err, pflag.ErrHelp) || errors.Is(err, helper.ErrReported) {
		return
	}
	fmt.Fprintf(w, "git-remote-xmpp: %s\n", errorText(err))
}

// errorText tells an error in one line.
func errorText(err error) string {
	text := err.Error()
	var changed *transport.KeyChangedError
	switch {
	case errors.As(err, new(*inviteKeyError)):
	case errors.As(err, &changed):
		text = keyChangedText(changed)
	case errors.Is(err, context.Canceled):
		text = "interrupted"
	}
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", ": ")
}

// An inviteKeyError says that the peer has another key than an invite names.
type inviteKeyError struct {
	name string
	err  error
}

func (e *inviteKeyError) Error() string {
	return fmt.Sprintf("WARNING: THE KEY OF %s IS NOT THE ONE IN THE INVITE! Somebody may be pretending to be it, "+
		"or the invite is older than the key. Nothing was sent. Ask its owner for a new invite", e.name)
}

func (e *inviteKeyError) Unwrap() error { return e.err }

// keyChangedText is as loud as it deserves.
func keyChangedText(e *transport.KeyChangedError) string {
	want, _ := peers.KeyOf(e.Want)
	got, _ := peers.KeyOf(e.Got)
	return fmt.Sprintf("WARNING: THE KEY OF %s HAS CHANGED! Expected %s, got %s: somebody may be pretending to be it, "+
		"or it was set up anew. Nothing was sent. Ask its owner; if the new key is right: git-remote-xmpp peers remove %s, then fetch with a new invite", e.Peer, want, got, want)
}
