package helper_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/internal/helper"
	"git-remote-xmpp/protocol"
)

// A service that failed and said why needs no words of ours, and nobody waits: git sees its end when we have ended.
func TestFailureThatWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		git, hangUp := io.Pipe()
		began := time.Now()
		input := io.MultiReader(strings.NewReader("connect git-upload-pack\n"), git)
		_, errs, _, err := run(t, &helper.Helper{}, input, func(from *protocol.Reader, to io.WriteCloser) {
			_, _ = from.Next()
			send(t, to, accept, protocol.Stderr("fatal: no commits selected\n"), &protocol.Done{Status: 128})
		})
		_ = hangUp.Close()
		if !errors.Is(err, helper.ErrReported) || !errors.Is(err, protocol.CodeRefused) || errs != "remote: fatal: no commits selected\n" {
			t.Errorf("%v, %q", err, errs)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// A git that has gone away has nothing to be told, but the peer has.
func TestGitIsGone(t *testing.T) {
	git, hangUp := io.Pipe()
	defer hangUp.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	gone := &firstLine{reader: reader, Writer: writer}
	input := io.MultiReader(strings.NewReader("connect git-upload-pack\n"), git)
	errs, peer, err := runTo(t, &helper.Helper{}, input, gone, func(from *protocol.Reader, to io.WriteCloser) {
		_, _ = from.Next()
		send(t, to, accept, protocol.Data("000eversion 2\n"))
		_, _ = from.Next() // which never comes
	})
	if !errors.Is(err, helper.ErrReported) || errs != "" || peer.cancelled() != protocol.CodeCancelled {
		t.Errorf("%v, %q, cancelled with %v", err, errs, peer.cancelled())
	}
}

// A firstLine is a pipe whose reader goes away after the first write.
type firstLine struct {
	io.Writer
	reader io.Closer
}

func (f *firstLine) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	_ = f.reader.Close()
	return n, err
}
