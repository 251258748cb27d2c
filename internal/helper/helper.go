// Package helper speaks git's remote helper protocol (gitremote-helpers(7)) on a given reader and writers and connects
// git to a service of a peer.
//
// It knows the frames of package protocol and a function that opens a stream. It
// must not know what carries the stream: no XMPP, no QUIC, no keys. It is the only
// package that writes to git's end of standard output.
package helper

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"git-remote-xmpp/internal/notice"
	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// A Helper serves one run of git's.
type Helper struct {
	In  io.Reader      // git's commands, then the data of a service
	Out io.Writer      // answers to git, then the data of a service
	Err *notice.Writer // lines for people
	// Dial opens a stream to a peer when git wants a service; told why that one didn't accept, to the next, or it returns why there is none.
	Dial func(ctx context.Context, service protocol.Service, failure error) (tunnel.Stream, error)
	// Accepted hears that the peer of the last stream serves what was asked for. It may be nil.
	Accepted func(ctx context.Context, accept *protocol.Accept)
	// Open is what to ask the peer for, read when Dial has returned; the service is filled in.
	Open protocol.Open
	// Rewrite copies the advertisement of receive-pack from in to out in the form that git shall see, and
	// not a byte more. It is called unless the peer wants plain git's semantics.
	Rewrite func(ctx context.Context, in io.Reader, out io.Writer) error
	// Watch sees what git and the service say to each other, one goroutine for each direction; it must not block, nor keep the data. It may be nil.
	Watch func(sent bool, data []byte)
	// Timeout is how long a service may go without progress.
	Timeout time.Duration
	// Name is how people call the remote, for messages.
	Name string

	verbose, quiet, meters bool
}

// maxLineBytes is the longest command that git may send.
const maxLineBytes = 64 << 10

// ErrReported marks errors that the user was told of by git already.
var ErrReported = errors.New("reported by git")

// ErrUsage says that git, or whoever runs the helper, asked for something it doesn't do.
var ErrUsage = errors.New("unknown command")

// Run answers git's commands until git is done, or until a service that it connected to has ended.
func (h *Helper) Run(ctx context.Context) error {
	in := bufio.NewReaderSize(h.In, maxLineBytes)
	for {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		command, argument, _ := strings.Cut(line, " ")
		switch command {
		case "": // the end of a batch of commands; there is none of ours left
			return nil
		case "capabilities":
			err = h.answer("connect\noption\n\n")
		case "option":
			err = h.option(argument)
		case "connect":
			return h.connect(ctx, in, protocol.Service(argument))
		default:
			err = fmt.Errorf("%w %q from git", ErrUsage, command)
		}
		if err != nil {
			return err
		}
	}
}

// plainVerbosity is git's without -v and -q.
const plainVerbosity = 1

// Verbose tells whether git was run with -v.
func (h *Helper) Verbose() bool { return h.verbose }

// Quiet tells whether git was run with -q.
func (h *Helper) Quiet() bool { return h.quiet }

// Meters tells whether git shows how far it is.
func (h *Helper) Meters() bool { return h.meters }

func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", fmt.Errorf("%w: line of over %d bytes from git", ErrUsage, maxLineBytes)
	}
	if err != nil && len(line) > 0 {
		return "", io.ErrUnexpectedEOF
	}
	return strings.TrimSuffix(string(line), "\n"), err
}

func (h *Helper) answer(text string) error {
	_, err := io.WriteString(h.Out, text)
	return err
}

// option answers "option <name> <value>". git's services get what they need of these by their own protocol.
func (h *Helper) option(argument string) error {
	switch name, value, _ := strings.Cut(argument, " "); name {
	case "verbosity":
		level, err := strconv.Atoi(value)
		h.verbose, h.quiet = err == nil && level > plainVerbosity, err == nil && level < plainVerbosity
		h.Err.Quiet(h.quiet)
		return h.answer("ok\n")
	case "progress":
		h.meters = value == "true"
		return h.answer("ok\n")
	default:
		return h.answer("unsupported\n")
	}
}

// connect runs "connect <service>": after an empty line the pipes carry the service's own protocol. If the peer refuses, git gets
// the empty line and an ERR packet, which it shows (gitprotocol-pack(5)); without the empty
// line it says nothing, and the error is ours to tell.
func (h *Helper) connect(ctx context.Context, in io.Reader, service protocol.Service) error {
	if !service.OfGit() {
		return fmt.Errorf("%w: service %q", ErrUsage, service)
	}
	t, accept, err := h.open(ctx, service)
	if err != nil {
		return h.refused(err)
	}
	defer t.Stop()
	if h.Accepted != nil {
		h.Accepted(ctx, accept)
	}
	if err := h.answer("\n"); err != nil {
		return err
	}
	rewrite := h.Rewrite
	if service != protocol.ReceivePack || accept.Direct {
		rewrite = nil
	}
	return h.run(t, in, rewrite)
}

// open asks for the service and waits for its turn.
func (h *Helper) open(ctx context.Context, service protocol.Service) (*tunnel.Tunnel, *protocol.Accept, error) {
	h.Open.Service = service
	dial := func(ctx context.Context, failure error) (tunnel.Stream, error) { return h.Dial(ctx, service, failure) }
	line := h.Err.Line()
	defer line.Clear()
	return tunnel.Find(ctx, dial, h.Timeout, &h.Open, func(before uint32) {
		one, many := "fetch", "fetches"
		if service == protocol.ReceivePack {
			one, many = "push", "pushes"
		}
		line.Set(fmt.Sprintf("waiting: %s before this one", counted(before, one, many)))
	})
}

func counted(n uint32, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// refused has git tell a refusal of the peer's; other errors are returned to be told by the caller.
func (h *Helper) refused(err error) error {
	var refusal *protocol.Refuse
	if !errors.As(err, &refusal) {
		return err
	}
	if answerErr := h.answer("\n"); answerErr != nil {
		return answerErr
	}
	text := fmt.Sprintf("%s: %v", h.Name, refusal)
	if encodeErr := pktline.NewEncoder(h.Out).EncodeString("ERR " + text + "\n"); encodeErr != nil {
		return encodeErr
	}
	return fmt.Errorf("%w: %s: %w", ErrReported, h.Name, refusal)
}
