package lfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
)

// A pipe is one end of a stream to a peer that a test plays.
type pipe struct {
	*io.PipeReader
	*io.PipeWriter
}

func (p pipe) CloseWrite() error { return p.PipeWriter.Close() }
func (p pipe) Close() error      { return p.PipeWriter.Close() }

func (p pipe) Cancel(code protocol.Code) {
	_ = p.PipeReader.CloseWithError(code)
	_ = p.PipeWriter.CloseWithError(code)
}

// A conversation is what a peer reads, and what it says when it has read that.
type conversation struct {
	reads int // messages
	says  []protocol.Message
	last  bool // it reads no more then
}

// after is what a peer says when it has read so many messages.
func after(reads int, says ...any) conversation {
	return conversation{reads: reads, says: all(says...)}
}

// deaf has the peer read no more, whatever comes.
func (c conversation) deaf() conversation {
	c.last = true
	return c
}

// A peer plays conversations, those of each stream that is dialled in their order, and keeps what it was told.
type peer struct {
	streams [][]conversation
	told    []protocol.Message
	dials   int
}

func (p *peer) dial(_ context.Context, failure error) (tunnel.Stream, error) {
	if failure != nil {
		return nil, failure
	}
	if p.dials == len(p.streams) {
		return nil, errors.New("nobody there")
	}
	talk := p.streams[p.dials]
	p.dials++
	downReader, down := io.Pipe()
	up, upWriter := io.Pipe()
	go func() {
		r := protocol.NewReader(up)
		for _, c := range talk {
			for range c.reads {
				m, err := r.Next()
				if err != nil {
					down.CloseWithError(err)
					return
				}
				if d, ok := m.(protocol.Data); ok {
					m = protocol.Data(bytes.Clone(d))
				}
				p.told = append(p.told, m)
			}
			if c.last {
				up.CloseWithError(errors.New("the peer reads no more"))
			}
			for _, m := range c.says {
				if protocol.Write(down, m) != nil {
					return
				}
			}
		}
		up.CloseWithError(errors.New("the peer has gone"))
		down.Close()
	}()
	return pipe{downReader, upWriter}, nil
}

const uuid = "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0001"

var accept = after(1, &protocol.Accept{Repository: uuid, Name: "proj"})

// newClient is a client of a peer that plays a conversation on each stream, after it has accepted it.
func newClient(t *testing.T, streams ...[]conversation) (*Client, *peer) {
	t.Helper()
	p := &peer{}
	for _, s := range streams {
		p.streams = append(p.streams, append([]conversation{accept}, s...))
	}
	c := &Client{Dial: p.dial, Open: &protocol.Open{Service: protocol.LFSDownload, Client: uuid}, Timeout: time.Minute, Name: "bob@localhost/proj",
		Store: Store{t.TempDir()}, Log: discard}
	return c, p
}

func ignore(int64) {}

func download(t *testing.T, c *Client) ([]byte, error) {
	t.Helper()
	file, err := c.Download(t.Context(), id, int64(size), ignore)
	if err != nil {
		return nil, err
	}
	defer os.Remove(file)
	if filepath.Dir(file) != filepath.Join(c.Store.Dir, "tmp") {
		t.Errorf("the object is in %s", file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b, nil
}

func TestDownload(t *testing.T) {
	wrong := bytes.Clone(content)
	wrong[0]++
	own := func(b []byte) map[string][]byte { return map[string][]byte{partPath(ours): b} }
	for name, c := range map[string]struct {
		there []byte
		talk  []conversation
		err   string // empty: the object has come
		holds map[string][]byte
	}{
		"all":               {nil, []conversation{after(1, ready(0), data(content))}, "", nil},
		"the rest":          {content[:500], []conversation{after(1, ready(500), &protocol.LFSWorking{}, data(content[500:]))}, "", nil},
		"all there":         {content, nil, "", nil},
		"too much there":    {append(bytes.Clone(content), 1), []conversation{after(1, ready(0), data(content))}, "", nil},
		"spoilt":            {wrong[:500], []conversation{after(1, ready(500), data(content[500:])), after(1, ready(0), data(content))}, "", nil},
		"all there, spoilt": {wrong, []conversation{after(1, ready(0), data(content))}, "", nil},
		"wrong":             {nil, []conversation{after(1, ready(0), data(wrong))}, "what arrived isn't the object", nil},
		"no object":         {content[:500], []conversation{after(1, no(protocol.CodeNoObject))}, "no such object there", own(content[:500])},
		"another offset":    {content[:500], []conversation{after(1, ready(0), data(content))}, "malformed frame: offset 0", own(content[:500])},
		"offset ahead":      {nil, []conversation{after(1, ready(500), data(content))}, "malformed frame: offset 500", nil},
		"a byte too much":   {content[:len(content)-1], []conversation{after(1, ready(len(content)-1), protocol.Data("xy"))}, "unexpected frame of type 0x07", own(content[:len(content)-1])},
		"stored":            {nil, []conversation{after(1, stored)}, "unexpected frame of type 0x23", nil},
		"data at once":      {nil, []conversation{after(1, data(content))}, "unexpected frame of type 0x07", nil},
		"cut off":           {nil, []conversation{after(1, ready(0), protocol.Data(content[:500]))}, "ended the stream too early", own(content[:500])},
		"done in between":   {nil, []conversation{after(1, ready(0), protocol.Data(content[:500]), &protocol.Done{})}, "ended the stream too early", own(content[:500])},
	} {
		client, _ := newClient(t, c.talk)
		if c.there != nil {
			client.Store.have(t, ours, c.there)
		}
		got, err := download(t, client)
		client.Close()
		switch {
		case c.err == "" && (err != nil || !bytes.Equal(got, content)):
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		case c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), "bob@localhost/proj: ") || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %v, want %s", name, err, c.err)
		}
		client.Store.holds(t, c.holds)
	}
}

// Two that get the same object at once don't write to the same file.
func TestDownloadInUse(t *testing.T) {
	client, _ := newClient(t, []conversation{after(1, ready(0), data(content))})
	other, err := client.Store.partial(ours, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.write(content[:500]); err != nil {
		t.Fatal(err)
	}
	if got, err := download(t, client); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	client.Close()
	other.close()
	client.Store.holds(t, map[string][]byte{partPath(ours): content[:500]})
}

func TestUpload(t *testing.T) {
	frames := len(data(content))
	for name, c := range map[string]struct {
		talk []conversation
		err  string
		sent []protocol.Message // after the open
	}{
		"all":            {[]conversation{after(1, ready(0)), after(frames, stored)}, "", all(put(), data(content))},
		"the rest":       {[]conversation{after(1, ready(500)), after(frames, &protocol.LFSWorking{}, stored)}, "", all(put(), data(content[500:]))},
		"there":          {[]conversation{after(1, stored)}, "", all(put())},
		"nothing left":   {[]conversation{after(1, ready(len(content)), stored)}, "", all(put())},
		"anew":           {[]conversation{after(1, ready(len(content)), ready(0)), after(frames, stored)}, "", all(put(), data(content))},
		"refused":        {[]conversation{after(1, no(protocol.CodeNoSpace))}, "no space left", all(put())},
		"refused inside": {[]conversation{after(1, ready(0)), after(1, no(protocol.CodeNoSpace)).deaf()}, "no space left", nil},
		"offset too far": {[]conversation{after(1, ready(len(content)+1))}, "offset 110001", all(put())},
		"anew for ever":  {[]conversation{after(1, ready(len(content)), ready(len(content)), ready(len(content)))}, "unexpected frame of type 0x22", all(put())},
		"nonsense":       {[]conversation{after(1, protocol.Data("x"))}, "unexpected frame of type 0x07", all(put())},
		"gone":           {[]conversation{after(1, ready(0)), after(1)}, "ended the stream too early", nil},
	} {
		client, p := newClient(t, c.talk)
		file := filepath.Join(t.TempDir(), "object")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		err := client.Upload(t.Context(), id, int64(size), file, ignore)
		client.Close()
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
		if c.sent != nil && !reflect.DeepEqual(p.told[1:], c.sent) {
			t.Errorf("%s: sent %d messages, want %d", name, len(p.told)-1, len(c.sent))
		}
	}
}

// A stream that the other side ended between two objects is replaced, and one that ends again isn't.
func TestStreamEndedBetweenObjects(t *testing.T) {
	one := after(1, ready(0), data(content))
	client, p := newClient(t, []conversation{one}, []conversation{one}, nil)
	for range 2 {
		if _, err := download(t, client); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := download(t, client); err == nil || p.dials != 3 {
		t.Errorf("%v, after %d dials", err, p.dials)
	}
	if _, err := download(t, client); err == nil || err.Error() != "nobody there" {
		t.Error(err)
	}
	client.Close()
}

// A failed dial isn't repeated for each object.
func TestNobodyThereIsFoundOutOnce(t *testing.T) {
	calls := 0
	client := &Client{Dial: func(context.Context, error) (tunnel.Stream, error) { calls++; return nil, errors.New("nobody there") }, Store: Store{t.TempDir()}}
	for range 3 {
		if _, err := download(t, client); err == nil || calls != 1 {
			t.Errorf("%v, after %d calls", err, calls)
		}
	}
}

// A side that doesn't know Git LFS takes the open for nonsense.
func TestOldPeer(t *testing.T) {
	client, p := newClient(t)
	p.streams = [][]conversation{{after(1, no(protocol.CodeProtocol))}}
	if err := client.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "too old for Git LFS") {
		t.Error(err)
	}
}

// Nothing moves for too long: both know.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newClient(t, []conversation{after(1, ready(0), protocol.Data(content[:500])), after(1)})
		began := time.Now()
		if err := client.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // git-lfs has nothing to ask
		_, err := download(t, client)
		if took := time.Since(began); !errors.Is(err, tunnel.ErrTimeout) || took != time.Hour+time.Minute {
			t.Errorf("%v after %v", err, took)
		}
		client.Close()
		client.Store.holds(t, map[string][]byte{partPath(ours): content[:500]})
	})
}
