package lfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/protocol"
)

// A gitLFS plays git-lfs: it says lines and reads answers.
type gitLFS struct {
	t       *testing.T
	in      *io.PipeWriter
	answers *json.Decoder
	ended   chan error
}

// startAgent starts an agent with a client whose peer plays these conversations.
func startAgent(t *testing.T, streams ...[]conversation) (*gitLFS, *Client) {
	t.Helper()
	client, _ := newClient(t, streams...)
	inReader, in := io.Pipe()
	outReader, out := io.Pipe()
	g := &gitLFS{t: t, in: in, answers: json.NewDecoder(outReader), ended: make(chan error, 1)}
	agent := &Agent{
		In: inReader, Out: out,
		Begin: func(_ context.Context, service protocol.Service, remote string) (*Client, error) {
			if remote != "origin" {
				return nil, errors.New("unknown remote")
			}
			client.Open.Service = service
			return client, nil
		},
		Tell: func(err error) (int, string) { return 7, "told: " + err.Error() },
	}
	go func() {
		err := agent.Run(t.Context())
		_ = inReader.Close()
		_ = out.Close()
		g.ended <- err
	}()
	return g, client
}

func (g *gitLFS) says(format string, args ...any) {
	g.t.Helper()
	if _, err := fmt.Fprintf(g.in, format+"\n", args...); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gitLFS) reads() (a answer) {
	g.t.Helper()
	if err := g.answers.Decode(&a); err != nil {
		g.t.Fatal(err)
	}
	return a
}

// hears expects one answer.
func (g *gitLFS) hears(want answer) {
	g.t.Helper()
	if got := g.reads(); !reflect.DeepEqual(got, want) {
		g.t.Errorf("answer %+v, want %+v", got, want)
	}
}

func (g *gitLFS) ends(want error) {
	g.t.Helper()
	select {
	case err := <-g.ended:
		if !errors.Is(err, want) {
			g.t.Errorf("ended with %v, want %v", err, want)
		}
	case <-time.After(time.Minute):
		g.t.Fatal("the agent goes on")
	}
}

const (
	initUpload   = `{"event":"init","operation":"upload","remote":"origin","concurrent":false,"concurrenttransfers":8}`
	initDownload = `{"event":"init","operation":"download","remote":"origin","concurrent":false,"concurrenttransfers":8}`
)

func TestAgentDownloads(t *testing.T) {
	g, client := startAgent(t, []conversation{after(1, ready(0), data(content)), after(1, no(protocol.CodeNoObject))})
	g.says(initDownload)
	g.hears(answer{})
	g.says(`{"event":"download","oid":"%s","size":%d,"action":null}`, id, size)
	done := int64(0)
	last := g.reads()
	for ; last.Event == "progress"; last = g.reads() {
		if last.OID != id.String() || last.Done-done != last.Since {
			t.Errorf("after %d bytes: %+v", done, last)
		}
		done = last.Done
	}
	if last.Event != "complete" || last.Error != nil || done != int64(size) {
		t.Errorf("after %d bytes: %+v", done, last)
	}
	if b, err := os.ReadFile(last.Path); err != nil || string(b) != string(content) {
		t.Errorf("%s: %d bytes, %v", last.Path, len(b), err)
	}
	g.says(`{"event":"download","oid":"%s","size":%d,"action":null}`, id, size)
	g.hears(answer{Event: "complete", OID: id.String(), Error: &failure{7, "told: bob@localhost/proj: no such object there"}})
	for _, bad := range []string{`"oid":"../../x","size":1`, fmt.Sprintf(`"oid":"%s","size":-1`, id), fmt.Sprintf(`"oid":"%s","size":%d`, id, 1<<51)} {
		g.says(`{"event":"download",%s,"action":null}`, bad)
		if a := g.reads(); a.Error == nil || !strings.Contains(a.Error.Message, ErrUsage.Error()) {
			t.Errorf("%s: %+v", bad, a)
		}
	}
	g.says(`{"event":"terminate"}`)
	g.ends(nil)
	if left, _ := os.ReadDir(filepath.Join(client.Store.partialsDir(), ours)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAgentUploads(t *testing.T) {
	g, _ := startAgent(t, []conversation{after(1, ready(500)), after(len(data(content)), stored)})
	file := filepath.Join(t.TempDir(), "object")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	g.says(initUpload)
	g.hears(answer{})
	g.says(`{"event":"upload","oid":"%s","size":%d,"path":%q,"action":null}`, id, size, file)
	g.hears(answer{Event: "progress", OID: id.String(), Done: 500, Since: 500}) // it was there
	last := g.reads()
	for last.Event == "progress" {
		last = g.reads()
	}
	if want := (answer{Event: "complete", OID: id.String()}); !reflect.DeepEqual(last, want) {
		t.Errorf("%+v", last)
	}
	g.says(`{"event":"upload","oid":"%s","size":%d,"path":%q,"action":null}`, id, size+1, file)
	if a := g.reads(); a.Error == nil || !strings.Contains(a.Error.Message, "not of 110001 bytes") {
		t.Errorf("%+v", a)
	}
	g.in.Close()
	g.ends(nil)
}

// When git-lfs goes away in the middle, so does the agent, and what has come stays.
func TestAgentEndsWithGitLFS(t *testing.T) {
	g, client := startAgent(t, []conversation{after(1, ready(0), protocol.Data(content[:500])), after(1)})
	g.says(initDownload)
	g.hears(answer{})
	g.says(`{"event":"download","oid":"%s","size":%d,"action":null}`, id, size)
	part := filepath.Join(client.Store.Dir, partPath(ours))
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if info, err := os.Stat(part); err == nil && info.Size() == 500 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing has come in")
		}
	}
	g.in.Close()
	g.ends(nil)
	client.Store.holds(t, map[string][]byte{partPath(ours): content[:500]})
}

func TestAgentIsToldNonsense(t *testing.T) {
	for name, lines := range map[string][]string{
		"not json":                {"{"},
		"transfer before init":    {`{"event":"download"}`},
		"unknown event":           {initDownload, `{"event":"dance"}`},
		"upload in a download":    {initDownload, fmt.Sprintf(`{"event":"upload","oid":"%s","size":1}`, id)},
		"a second init":           {initDownload, initDownload},
		"unknown operation":       {`{"event":"init","operation":"delete","remote":"origin"}`},
		"a line without an end":   {strings.Repeat("x", maxLineBytes)},
		"a field of another kind": {`{"event":"init","operation":1}`},
	} {
		g, _ := startAgent(t, nil)
		go func() {
			var a answer
			for g.answers.Decode(&a) == nil { // nobody waits for these
			}
		}()
		for _, line := range lines {
			_, _ = fmt.Fprintln(g.in, line) // it may have ended
		}
		t.Run(name, func(t *testing.T) {
			g.t = t
			g.ends(ErrUsage)
		})
	}
}

// What is wrong with the remote is said in answer to the first message.
func TestAgentCannotBegin(t *testing.T) {
	g, _ := startAgent(t)
	g.says(`{"event":"init","operation":"upload","remote":"nowhere"}`)
	g.hears(answer{Error: &failure{7, "told: unknown remote"}})
	if err := <-g.ended; err == nil || err.Error() != "unknown remote" {
		t.Error(err)
	}
	g, _ = startAgent(t)
	g.says(initUpload)
	g.hears(answer{Error: &failure{7, "told: nobody there"}})
}
