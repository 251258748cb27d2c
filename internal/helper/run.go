package helper

import (
	"context"
	"errors"
	"fmt"
	"io"

	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
)

// run carries the data of an accepted service until it has ended. It doesn't wait for git to hang up: git sees the
// end of what we write when this process has ended, for the git that started us as its subcommand holds our files, too.
func (h *Helper) run(t *tunnel.Tunnel, in io.Reader, rewrite func(context.Context, io.Reader, io.Writer) error) error {
	hungUp := make(chan struct{})
	watch := h.Watch
	if watch == nil {
		watch = func(bool, []byte) {}
	}
	go send(t, in, hungUp, watch) // a read that git doesn't end ends with the process

	out := &output{Tunnel: t, stderr: h.Err, watch: watch}
	err := out.copyTo(gitWriter{h.Out}, rewrite)
	if err != nil {
		err = t.Explain(err)
		t.Cancel(err)
	}
	if closer, ok := h.Out.(io.Closer); ok {
		_ = closer.Close() // the data is with git already
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return out.verdict(h.Name, hungUp)
}

// send copies what git says to the service until git hangs up, which closes hungUp, or the service has ended.
func send(t *tunnel.Tunnel, in io.Reader, hungUp chan<- struct{}, watch func(sent bool, data []byte)) {
	buf := make([]byte, protocol.MaxDataBytes)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if t.Write(protocol.Data(buf[:n])) != nil {
				return // the reader learns the same, or that the service has ended
			}
			watch(true, buf[:n])
		}
		if errors.Is(err, io.EOF) {
			close(hungUp) // first: the service may end of it
			_ = t.CloseWrite()
			return
		}
		if err != nil {
			t.Cancel(err)
			return
		}
	}
}
