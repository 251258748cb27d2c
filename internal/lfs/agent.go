package lfs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"git-remote-xmpp/protocol"
)

const (
	// maxLineBytes is the longest message of git-lfs's: paths are the longest part.
	maxLineBytes = 64 << 10
	// progressPause is how long the next word on progress waits at least.
	progressPause = 100 * time.Millisecond
)

// ErrUsage says that git-lfs, or whoever runs the agent, asked for something it doesn't do.
var ErrUsage = errors.New("not a message of git-lfs")

// An Agent serves one run of git-lfs, as its custom transfer agent: it reads a message in JSON from each line and answers in the
// same way (git-lfs, docs/custom-transfers.md).
type Agent struct {
	In  io.Reader
	Out io.Writer
	// Begin makes a client for the remote, a name or URL, that objects go to (service is protocol.LFSUpload) or come from.
	Begin func(ctx context.Context, service protocol.Service, remote string) (*Client, error)
	// Tell says in a code and a line what git-lfs shows of an error.
	Tell func(error) (code int, text string)

	begun   chan struct{} // closed when there is an answer to init
	client  *Client
	service protocol.Service
}

// request is a message from git-lfs. Other fields don't matter here.
type request struct {
	Event     string `json:"event"`
	Operation string `json:"operation"` // of init
	Remote    string `json:"remote"`
	OID       string `json:"oid"` // of a transfer
	Size      int64  `json:"size"`
	Path      string `json:"path"`
}

// answer is a message to git-lfs.
type answer struct {
	Event string   `json:"event,omitempty"`
	OID   string   `json:"oid,omitempty"`
	Path  string   `json:"path,omitempty"`
	Error *failure `json:"error,omitempty"`
	Done  int64    `json:"bytesSoFar,omitempty"`
	Since int64    `json:"bytesSinceLast,omitempty"`
}

type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Run answers git-lfs until it has no more to ask, or hangs up. The error of a transfer is git-lfs's to tell; that there is no way to the peer is
// returned as well.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	requests := make(chan request)
	a.begun = make(chan struct{})
	go func() { cancel(a.read(ctx, requests)) }() // a read that git-lfs doesn't end ends with the process
	defer func() {
		if a.client != nil {
			a.client.Close()
		}
	}()
	for more := true; more; {
		var err error
		select {
		case r := <-requests:
			more, err = a.handle(ctx, r)
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if errors.Is(err, io.EOF) { // git-lfs hung up
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read hands on what git-lfs asks for, until its end. It reads on during a transfer, which ends with git-lfs, but not before there is an answer to
// the first request, so that one who tries that by hand sees it.
func (a *Agent) read(ctx context.Context, requests chan<- request) error {
	lines := bufio.NewScanner(a.In)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("%w: %w", ErrUsage, err)
		}
		select {
		case requests <- r:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case <-a.begun:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return io.EOF
}

// handle answers one request. more is false after the last.
func (a *Agent) handle(ctx context.Context, r request) (more bool, err error) {
	switch {
	case r.Event == "init" && a.client == nil:
		defer close(a.begun)
		err = a.begin(ctx, r)
		return true, errors.Join(err, a.answer(answer{Error: a.failure(err)}))
	case r.Event == "upload" && a.service == protocol.LFSUpload, r.Event == "download" && a.service == protocol.LFSDownload:
		return true, a.transfer(ctx, r)
	case r.Event == "terminate":
		return false, nil
	}
	return false, fmt.Errorf("%w: event %q", ErrUsage, r.Event)
}

// begin connects to the remote, so that what is wrong with it is said once.
func (a *Agent) begin(ctx context.Context, r request) error {
	services := map[string]protocol.Service{"upload": protocol.LFSUpload, "download": protocol.LFSDownload}
	service, ok := services[r.Operation]
	if !ok {
		return fmt.Errorf("%w: operation %q", ErrUsage, r.Operation)
	}
	client, err := a.Begin(ctx, service, r.Remote)
	if err != nil {
		return err
	}
	a.client, a.service = client, service
	a.client.Store.sweep(time.Now())
	return a.client.Connect(ctx)
}

// transfer carries one object and tells how that went.
func (a *Agent) transfer(ctx context.Context, r request) error {
	done := answer{Event: "complete", OID: r.OID}
	progress := &progress{agent: a, oid: r.OID}
	id, err := ParseOID(r.OID)
	switch {
	case err != nil:
		err = fmt.Errorf("%w: oid %q", ErrUsage, r.OID)
	case r.Size < 0 || r.Size > protocol.MaxObjectBytes:
		err = fmt.Errorf("%w: object of %d bytes", ErrUsage, r.Size)
	case a.service == protocol.LFSUpload:
		err = a.client.Upload(ctx, id, r.Size, r.Path, progress.tell)
	default:
		done.Path, err = a.client.Download(ctx, id, r.Size, progress.tell)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		progress.last(r.Size)
	}
	done.Error = a.failure(err)
	return a.answer(done)
}

func (a *Agent) failure(err error) *failure {
	if err == nil {
		return nil
	}
	code, text := a.Tell(err)
	return &failure{Code: code, Message: text}
}

func (a *Agent) answer(m answer) error {
	return json.NewEncoder(a.Out).Encode(m)
}

// progress tells git-lfs how far an object is.
type progress struct {
	agent *Agent
	oid   string
	told  int64
	when  time.Time
}

// tell says it from time to time.
func (p *progress) tell(done int64) {
	if time.Since(p.when) >= progressPause {
		p.last(done)
	}
}

// last says it now.
func (p *progress) last(done int64) {
	if done != p.told {
		_ = p.agent.answer(answer{Event: "progress", OID: p.oid, Done: done, Since: done - p.told}) // a git-lfs that is gone is noticed elsewhere
	}
	p.told, p.when = done, time.Now()
}
