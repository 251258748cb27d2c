package helper_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/internal/helper"
	"git-remote-xmpp/internal/notice"
	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
)

const uuid = "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0001"

// A fakeStream is one end of a pipe, with half-close and a record of how it was given up.
type fakeStream struct {
	net.Conn
	writes io.WriteCloser
	mu     sync.Mutex
	code   protocol.Code
}

func (s *fakeStream) Write(p []byte) (int, error) { return s.writes.Write(p) }
func (s *fakeStream) CloseWrite() error           { return s.writes.Close() }

func (s *fakeStream) Cancel(code protocol.Code) {
	s.mu.Lock()
	if s.code == 0 {
		s.code = code
	}
	s.mu.Unlock()
	_ = s.Conn.Close()
	_ = s.writes.Close()
}

func (s *fakeStream) cancelled() protocol.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.code
}

// run runs a helper on git's input against a peer that gets what the helper sends and answers on its stream.
func run(t *testing.T, h *helper.Helper, input io.Reader, peer func(from *protocol.Reader, to io.WriteCloser)) (stdout, stderr string, stream *fakeStream, err error) {
	t.Helper()
	var out bytes.Buffer
	stderr, stream, err = runTo(t, h, input, &out, peer)
	return out.String(), stderr, stream, err
}

// runTo is run with git's end of standard output.
func runTo(t *testing.T, h *helper.Helper, input io.Reader, out io.Writer, peer func(from *protocol.Reader, to io.WriteCloser)) (stderr string, stream *fakeStream, err error) {
	t.Helper()
	down, downPeer := net.Pipe()
	upPeer, up := net.Pipe()
	stream = &fakeStream{Conn: down, writes: up}
	var errs bytes.Buffer
	h.In, h.Out, h.Err = input, out, notice.New(t.Context(), &errs)
	if h.Dial == nil {
		h.Dial = func(_ context.Context, _ protocol.Service, failure error) (tunnel.Stream, error) {
			return stream, failure
		}
	}
	if h.Timeout == 0 {
		h.Timeout = time.Minute
	}
	h.Name = "bob@example.org/proj"
	var peers sync.WaitGroup
	peers.Go(func() {
		if peer != nil {
			peer(protocol.NewReader(upPeer), downPeer)
		}
		_ = downPeer.Close()
		_, _ = io.Copy(io.Discard, upPeer)
	})
	err = h.Run(t.Context())
	_ = up.Close()
	_ = down.Close()
	peers.Wait()
	return errs.String(), stream, err
}

func send(t *testing.T, to io.Writer, messages ...protocol.Message) {
	t.Helper()
	for _, m := range messages {
		if err := protocol.Write(to, m); err != nil {
			t.Error(err)
		}
	}
}

var accept = &protocol.Accept{Repository: uuid, Name: "proj"}

func TestCapabilitiesAndOptions(t *testing.T) {
	out, _, _, err := run(t, &helper.Helper{}, strings.NewReader("capabilities\noption verbosity 1\noption followtags true\n\n"), nil)
	if err != nil || out != "connect\noption\n\nok\nunsupported\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestConnect(t *testing.T) {
	h := &helper.Helper{Open: protocol.Open{Repository: "proj", Client: uuid, GitProtocol: 2}}
	out, errs, _, err := run(t, h, strings.NewReader("capabilities\nconnect git-upload-pack\n0014command=ls-refs\n"), func(from *protocol.Reader, to io.WriteCloser) {
		m, err := from.Next()
		if open, ok := m.(*protocol.Open); err != nil || !ok || *open != (protocol.Open{Service: protocol.UploadPack, Repository: "proj", Client: uuid, GitProtocol: 2}) {
			t.Errorf("%+v, %v", m, err)
		}
		send(t, to, &protocol.Queued{Before: 2}, &protocol.Queued{Before: 2}, &protocol.Queued{Before: 1}, accept,
			protocol.Data("000eversion 2\n"), protocol.Stderr("warn\x1b[31m"), protocol.Stderr("ing\nlast"))
		if m, err := from.Next(); err != nil || string(m.(protocol.Data)) != "0014command=ls-refs\n" {
			t.Errorf("%+v, %v", m, err)
		}
		if _, err := from.Next(); err != io.EOF {
			t.Errorf("after git's end: %v", err)
		}
		send(t, to, protocol.Data("0000"), &protocol.Done{Status: 128})
	})
	if err != nil { // git had hung up: it is content
		t.Error(err)
	}
	if want := "connect\noption\n\n\n000eversion 2\n0000"; out != want {
		t.Errorf("git gets %q, want %q", out, want)
	}
	if want := "waiting: 2 fetches before this one\nwaiting: 1 fetch before this one\nremote: warn[31ming\nremote: last\n"; errs != want {
		t.Errorf("the user sees %q, want %q", errs, want)
	}
}

func TestRefusalIsToldByGit(t *testing.T) {
	out, errs, _, err := run(t, &helper.Helper{}, strings.NewReader("connect git-upload-pack\n"), func(from *protocol.Reader, to io.WriteCloser) {
		_, _ = from.Next()
		send(t, to, &protocol.Refuse{Code: protocol.CodeAmbiguous, Names: []string{"a", "b"}})
	})
	if want := "\n0053ERR bob@example.org/proj: several repositories, name one: a, b\n"; !strings.HasPrefix(out, "\n00") || out[5:] != want[5:] {
		t.Errorf("git gets %q, want %q", out, want)
	}
	if !errors.Is(err, helper.ErrReported) || !errors.Is(err, protocol.CodeAmbiguous) || errs != "" {
		t.Errorf("%v, %q", err, errs)
	}
}

// Without the empty line git stays silent, and the error is ours to tell.
func TestDialFails(t *testing.T) {
	broken := errors.New("broken")
	h := &helper.Helper{Dial: func(context.Context, protocol.Service, error) (tunnel.Stream, error) { return nil, broken }}
	out, _, _, err := run(t, h, strings.NewReader("connect git-upload-pack\n"), nil)
	if !errors.Is(err, broken) || out != "" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestBadCommands(t *testing.T) {
	for _, input := range []string{"push x\n", "connect git-shell\n", "connect \n", strings.Repeat("x", 70<<10) + "\n"} {
		if out, _, _, err := run(t, &helper.Helper{}, strings.NewReader(input), nil); !errors.Is(err, helper.ErrUsage) || out != "" {
			t.Errorf("%.20q: %q, %v", input, out, err)
		}
	}
	if _, _, _, err := run(t, &helper.Helper{}, strings.NewReader("capabili"), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a line: %v", err)
	}
}

// A push gets its advertisement rewritten, unless the other side wants plain git's semantics; other services never do.
func TestRewrite(t *testing.T) {
	for name, c := range map[string]struct {
		service string
		direct  bool
		want    string
	}{
		"push":        {"git-receive-pack", false, "\nREFS rest"},
		"direct push": {"git-receive-pack", true, "\nrefs rest"},
		"fetch":       {"git-upload-pack", false, "\nrefs rest"},
	} {
		h := &helper.Helper{Rewrite: func(_ context.Context, in io.Reader, out io.Writer) error {
			b := make([]byte, 4)
			_, err := io.ReadFull(in, b)
			_, _ = out.Write(bytes.ToUpper(b))
			return err
		}, Open: protocol.Open{Client: uuid}}
		out, _, _, err := run(t, h, strings.NewReader("connect "+c.service+"\n"), func(from *protocol.Reader, to io.WriteCloser) {
			_, _ = from.Next()
			send(t, to, &protocol.Accept{Repository: uuid, Direct: c.direct}, protocol.Data("re"), protocol.Data("fs rest"), &protocol.Done{})
		})
		if err != nil || out != c.want {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}

func TestBadEnds(t *testing.T) {
	for name, c := range map[string]struct {
		answer []protocol.Message
		check  func(error) bool
	}{
		"status":           {[]protocol.Message{accept, &protocol.Done{Status: 128}}, func(err error) bool { return errors.Is(err, protocol.CodeRefused) }},
		"cancelled":        {[]protocol.Message{accept, &protocol.Done{Code: protocol.CodeTimeout}}, func(err error) bool { return errors.Is(err, protocol.CodeTimeout) }},
		"end without done": {[]protocol.Message{accept, protocol.Data("x")}, func(err error) bool { return strings.Contains(err.Error(), "too early") }},
		"second accept":    {[]protocol.Message{accept, accept}, func(err error) bool { return errors.Is(err, protocol.ErrMalformed) }},
		"data first":       {[]protocol.Message{protocol.Data("x")}, func(err error) bool { return errors.Is(err, protocol.ErrMalformed) }},
	} {
		synctest.Test(t, func(t *testing.T) {
			git, _ := io.Pipe() // git doesn't hang up
			input := io.MultiReader(strings.NewReader("connect git-upload-pack\n"), git)
			_, _, _, err := run(t, &helper.Helper{}, input, func(from *protocol.Reader, to io.WriteCloser) {
				_, _ = from.Next()
				for _, m := range c.answer {
					_ = protocol.Write(to, m) // the helper may be gone by then
				}
			})
			_ = git.Close()
			if err == nil || !c.check(err) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// Nothing waits longer than the timeout: the peer is told why, and so is the user.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		git, hangUp := io.Pipe()
		defer hangUp.Close()
		input := io.MultiReader(strings.NewReader("connect git-upload-pack\n"), git)
		began := time.Now()
		_, _, stream, err := run(t, &helper.Helper{Timeout: 10 * time.Second}, input, func(from *protocol.Reader, to io.WriteCloser) {
			_, _ = from.Next()
			send(t, to, accept)
			time.Sleep(6 * time.Second)
			send(t, to, protocol.Data("progress"))
			_, _ = from.Next() // which never comes
		})
		_ = git.Close()
		if !errors.Is(err, tunnel.ErrTimeout) || stream.cancelled() != protocol.CodeTimeout {
			t.Errorf("%v, cancelled with %v", err, stream.cancelled())
		}
		if took := time.Since(began); took < 16*time.Second || took > 20*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// An interrupted helper tells the peer.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	git, hangUp := io.Pipe()
	defer hangUp.Close()
	down, downPeer := net.Pipe()
	stream := &fakeStream{Conn: down, writes: discard{}}
	h := &helper.Helper{In: io.MultiReader(strings.NewReader("connect git-upload-pack\n"), git), Out: io.Discard, Err: notice.New(ctx, io.Discard), Timeout: time.Minute,
		Dial: func(context.Context, protocol.Service, error) (tunnel.Stream, error) { return stream, nil }}
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	send(t, downPeer, accept, protocol.Data("x"))
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || stream.cancelled() != protocol.CodeCancelled {
		t.Errorf("%v, cancelled with %v", err, stream.cancelled())
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }
