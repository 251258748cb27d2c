package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// inputGrace is how long a cancelled push has to end by itself when its input has ended. git removes its quarantine
// then; at a signal it doesn't (since 2.39, tmp-objdir.c).
const inputGrace = time.Second

// A job is one run of a service for a peer.
type job struct {
	*service
	open    *protocol.Open
	entry   Entry
	sender  repo.Sender
	policy  repo.Policy
	timeout time.Duration
	turn    *turn // while it runs
	record  repo.Record
	pace    pace
	wish    wish

	writing sync.Mutex  // standard output and error share the stream
	held    []byte      // what goes before the next message
	frames  []byte      // what was written last, for its room
	watch   *time.Timer // cancels the job without progress
}

// run accepts the service, runs git on the stream and tells how it ended. Whatever happens,
// git and its children are gone when it returns.
func (j *job) run(ctx context.Context, reader *protocol.Reader, log *slog.Logger) {
	var yielding sync.WaitGroup
	defer yielding.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	yielding.Go(func() { j.yield(ctx, cancel) })
	j.watch = time.AfterFunc(j.timeout, func() { cancel(protocol.CodeTimeout) })
	defer j.watch.Stop()
	// The stream is given up when the job is cancelled: that ends every read and write on it.
	stop := context.AfterFunc(ctx, func() { j.cancel(codeOf(context.Cause(ctx))) })
	defer stop()
	// A peer that gives up says so, which nobody reads when all of its input has come and git says nothing.
	gone := context.AfterFunc(j.stream.Context(), func() { cancel(context.Cause(j.stream.Context())) })
	defer gone()

	began := time.Now()
	j.receiving()
	defer j.ended()
	defer func() { j.server.tell(told{j.entry, j.sender, j.record, log}) }() // also if the peer is gone: what has changed has changed
	status, err := j.work(ctx, cancel, reader, log)
	gone() // the stream's context ends, too, when we end our side
	switch {
	case context.Cause(ctx) != nil:
		j.count(Cancelled)
		log.Warn("cancelled", "err", j.client.conn.Explain(context.Cause(ctx)), "took", time.Since(began))
	case err != nil:
		j.count(Broken)
		log.Error("failed", "err", err)
		j.cancel(protocol.CodeInternal)
	default:
		if status == 0 {
			j.count(Done)
		} else {
			j.count(Failed)
		}
		log.Info("done", "status", status, "took", time.Since(began))
		j.received(status)
		if j.write(&protocol.Done{Status: uint32(status)}) == nil {
			_ = j.stream.Close() // the peer has all
		}
		j.stream.CancelRead(0)
	}
}

func (j *job) count(r Result) { j.server.counts.add(j.open.Service, r) }

// receiving, received and ended tell who keeps repositories in step of a push.
func (j *job) receiving() {
	if s := j.server.Sync; s != nil && j.open.Service == protocol.ReceivePack {
		s.Receiving(j.entry.UUID, j.client.key, j.open.Client, j.open.Merges)
	}
}

func (j *job) ended() {
	if s := j.server.Sync; s != nil && j.open.Service == protocol.ReceivePack {
		s.Ended(j.entry.UUID, j.open.Client)
	}
}

func (j *job) received(status int) {
	if s := j.server.Sync; s != nil && j.open.Service == protocol.ReceivePack && status == 0 {
		s.Received(j.entry.UUID, j.client.key, j.open.Client)
	}
}

// codeOf is the code that tells a peer why a job was cancelled.
func codeOf(cause error) protocol.Code {
	var code protocol.Code
	if errors.As(cause, &code) {
		return code
	}
	return protocol.CodeCancelled
}

// work does what the service is for. The result is an exit status.
func (j *job) work(ctx context.Context, cancel context.CancelCauseFunc, reader *protocol.Reader, log *slog.Logger) (int, error) {
	if j.open.Service.OfLFS() {
		err := j.lfs(ctx, reader, log)
		if err != nil {
			cancel(err)
		}
		return 0, err
	}
	if err := j.entry.Repo.TidyFallback(ctx); err != nil {
		log.Info("merged fallback refs stay for now", "err", err)
	}
	return j.git(ctx, cancel, reader)
}

// git runs the service. The result is git's exit status.
func (j *job) git(ctx context.Context, cancel context.CancelCauseFunc, reader *protocol.Reader) (int, error) {
	signalled, signal := context.WithCancel(context.WithoutCancel(ctx))
	defer signal()
	cmd, err := j.entry.Repo.Command(signalled, repo.Service(j.open.Service), int(j.open.GitProtocol), j.sender, j.policy, j.server.Hooks)
	if err != nil {
		return 0, err
	}
	j.record = repo.RecordOf(cmd)
	accepted, err := j.acceptWithOutput()
	if err != nil {
		return 0, err
	}
	defer accepted()
	asked := j.listen()
	defer asked()
	pipes, err := openPipes(cmd)
	if err != nil {
		return 0, err
	}
	line, err := repo.NewLifeline(cmd)
	if err != nil {
		return 0, err
	}
	defer line.Cut()
	err = cmd.Start()
	line.Started()
	if err != nil {
		return 0, err
	}
	var input, output, guard sync.WaitGroup
	ended := make(chan struct{})
	guard.Go(func() { j.guard(ctx, cmd, pipes, line, signal, ended) })
	input.Go(func() {
		if err := j.feed(reader, pipes.stdin, asked); err != nil {
			cancel(err)
		}
	})
	for from, frame := range map[io.Reader]func([]byte) protocol.Message{
		pipes.stdout: func(b []byte) protocol.Message { return protocol.Data(b) },
		pipes.stderr: func(b []byte) protocol.Message { return protocol.Stderr(b) },
	} {
		output.Go(func() {
			if err := j.drain(from, frame); err != nil {
				cancel(err)
				_, _ = io.Copy(io.Discard, from) // git ends by itself, not by SIGPIPE
			}
		})
	}
	output.Wait() // before Wait, which closes the pipes: what git wrote may take long to send
	err = cmd.Wait()
	close(ended)
	guard.Wait()
	j.stream.CancelRead(0) // git wants no more: feed ends
	input.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// pipes are a service's standard files.
type pipes struct {
	stdin          io.WriteCloser
	stdout, stderr io.ReadCloser
}

func openPipes(cmd *exec.Cmd) (p pipes, err error) {
	var errs [3]error
	p.stdin, errs[0] = cmd.StdinPipe()
	p.stdout, errs[1] = cmd.StdoutPipe()
	p.stderr, errs[2] = cmd.StderrPipe()
	return p, errors.Join(errs[:]...)
}

// guard sees to it that a cancelled command ends: a push by the end of its input and of its hooks, everything by a signal; what is there
// after that time is killed, and its pipes are closed whoever else holds them.
func (j *job) guard(ctx context.Context, cmd *exec.Cmd, p pipes, line *repo.Lifeline, signal func(), ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	_ = p.stdin.Close() // feed may have done so
	line.Cut()
	if j.open.Service == protocol.ReceivePack {
		wait(ended, inputGrace)
	}
	signal()
	wait(ended, repo.StopGrace)
	_ = repo.KillGroup(cmd) // no error if nothing is left
	_ = p.stdout.Close()
	_ = p.stderr.Close()
}

// wait waits for an event, but not for long.
func wait(event <-chan struct{}, most time.Duration) {
	select {
	case <-event:
	case <-time.After(most):
	}
}

// feed copies what the peer sends to git's standard input until the peer ends its direction. That git doesn't
// read it is no error: git says why itself. asked is called when something has come.
func (j *job) feed(reader *protocol.Reader, stdin io.WriteCloser, asked func()) error {
	defer stdin.Close()
	for {
		m, err := j.next(reader)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if isOurs(err) {
				return nil
			}
			return err
		}
		asked()
		data, ok := m.(protocol.Data)
		if !ok {
			return fmt.Errorf("unexpected frame of type %#02x: %w", byte(m.Type()), protocol.CodeProtocol)
		}
		j.wish.see(data)
		if _, err := stdin.Write(data); err != nil {
			return nil //nolint:nilerr // git has ended, or closed its input
		}
	}
}

// isOurs tells whether a read ended because we gave up reading.
func isOurs(err error) bool {
	var reset *transport.StreamError
	return errors.As(err, &reset) && !reset.Remote
}

// next reads a message. An empty one is no progress: whoever sends it may take nothing itself.
func (j *job) next(reader *protocol.Reader) (protocol.Message, error) {
	done := func(int) {}
	if j.open.Service.Writes() { // otherwise it is for the peer to say nothing
		done = j.pace.wait()
	}
	m, err := reader.Next()
	data, isData := m.(protocol.Data)
	done(len(data))
	if err == nil && (!isData || len(data) > 0) {
		j.watch.Reset(j.timeout)
	}
	return m, err
}
