//go:build unix

package integration

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A watched is two homes of which everything that they say and write is kept.
type watched struct {
	server     *testserver.Server
	bob, alice *home
	secrets    []string // that are nowhere
	invited    []string // secrets of invites: where the user has put them, until they are used
	records    string   // folder: what was said, and what programs and hooks were given
	store      string   // Alice's file of git's credential store
	number     int
}

func newWatched(t *testing.T, s *testserver.Server) *watched {
	t.Helper()
	w := &watched{server: s, bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice"), records: t.TempDir()}
	w.store = filepath.Join(w.alice.dir, "credentials")
	for _, h := range []*home{w.bob, w.alice} {
		h.xmpp(h.dir, "peers") // makes the key
		h.git(h.dir, "lfs", "install", "--skip-repo")
	}
	for user, password := range s.Accounts {
		w.secrets = append(w.secrets, password, base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)), hex.EncodeToString([]byte(password)))
	}
	for _, h := range []*home{w.bob, w.alice} {
		w.secrets = append(w.secrets, everyFormOfKey(t, h)...)
	}
	// What a client says of itself in SCRAM, and its proof.
	for _, text := range []string{"n=alice,r=", "n=bob,r=", "p=tls-exporter,,", "c=cD10"} {
		w.secrets = append(w.secrets, text, base64.RawStdEncoding.EncodeToString([]byte(text))[:len(text)/3*4])
	}
	return w
}

// everyFormOfKey is what mustn't be seen of a home's key.
func everyFormOfKey(t *testing.T, h *home) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dataDir(), "identity"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	seed := parsed.(ed25519.PrivateKey).Seed()
	body := strings.Split(string(text), "\n")[1]
	forms := []string{"PRIVATE KEY", string(seed), hex.EncodeToString(seed), strings.ToUpper(hex.EncodeToString(seed)), body[len(body)-40:], fmt.Sprint(seed[:8])[1:20]}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, encoding.EncodeToString(seed), encoding.EncodeToString(parsed.(ed25519.PrivateKey))[:60])
	}
	return forms
}

// watch gives Bob his secrets by the environment and Alice hers by a credential helper, turns on every trace, and puts programs in the way that write down what each
// git and helper is given.
func (w *watched) watch(t *testing.T) {
	t.Helper()
	for _, h := range []*home{w.bob, w.alice} {
		h.env = slices.DeleteFunc(h.env, func(kv string) bool { return strings.HasPrefix(kv, "GIT_XMPP_PASSWORD=") })
	}
	w.alice.git(w.alice.dir, "config", "--global", "credential.helper", "store --file="+w.store)
	if err := os.WriteFile(w.store, []byte("xmpp://alice:"+w.server.Accounts["alice"]+"@localhost\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	execPath := w.bob.git(w.bob.dir, "--exec-path")
	entries, err := os.ReadDir(execPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Symlink(filepath.Join(execPath, e.Name()), filepath.Join(bin, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	for name, program := range map[string]string{"git": git, "git-remote-xmpp": filepath.Join(binDir, "git-remote-xmpp")} {
		_ = os.Remove(filepath.Join(bin, name)) // a link, if it is there
		writeProgram(t, filepath.Join(bin, name), "#!/bin/sh\n"+w.write("given-$$-"+name)+"GIT_EXEC_PATH='"+bin+"' exec '"+program+"' \"$@\"\n")
	}
	for _, h := range []*home{w.bob, w.alice} {
		trace := func(name string) string { return filepath.Join(h.dir, "trace-"+name) }
		h.env = append(h.env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GIT_XMPP_TRACE="+trace("xmpp"), "SSLKEYLOGFILE="+trace("keys"), "QLOGDIR="+trace("qlog"), "QUIC_GO_LOG_LEVEL=debug")
		h.gitPath = filepath.Join(bin, "git")
		if h == w.alice {
			h.env = append(h.env, "GIT_TRACE="+trace("git"), "GIT_TRACE_PACKET="+trace("packet"), "GIT_TRACE_SETUP="+trace("setup"), "GIT_TRACE_CURL="+trace("curl"), "GIT_CURL_VERBOSE=1",
				"GIT_TRACE2_EVENT="+trace("events"), "GIT_TRACE2="+trace("trace2"), "GIT_TRACE2_CONFIG_PARAMS=*", "GIT_TRANSFER_TRACE=1", "GIT_LFS_PROGRESS="+trace("lfs"))
		}
	}
}

// write is a line of shell that writes down the arguments and the environment of a program.
func (w *watched) write(name string) string {
	return "{ echo \"$0\" \"$@\"; env; } >>\"" + w.records + "/" + name + "\"\n"
}

// given lists the records of what a program or hook was given.
func (w *watched) given(t *testing.T, name string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(w.records, "[gh]*-*-"+name))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (w *watched) hook(t *testing.T, repository, name string) {
	t.Helper()
	script := "#!/bin/sh\n" + w.write("hook-$$-"+name)
	if name == "proc-receive" {
		script += "exit 1\n" // nothing is left to it
	}
	hook(t, repository, name, script)
}

// serve is home.serve, with Bob's secrets in the environment.
func (w *watched) serve(t *testing.T, h *home, dir string) *daemon {
	t.Helper()
	serving := *h
	if h == w.bob {
		identity, err := os.ReadFile(filepath.Join(h.dataDir(), "identity"))
		if err != nil {
			t.Fatal(err)
		}
		serving.env = append(slices.Clone(h.env), "GIT_XMPP_PASSWORD="+w.server.Accounts["bob"], "GIT_XMPP_IDENTITY="+string(identity))
	}
	return serving.serve(dir, "--log-format", "json", "--log-level", "debug")
}

// stop is daemon.stop, with what it has said kept.
func (w *watched) stop(t *testing.T, d *daemon) {
	t.Helper()
	d.stop()
	w.number++
	if err := os.WriteFile(filepath.Join(w.records, fmt.Sprintf("said-%d-serve", w.number)), d.stderr.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a program that must end with a status, and keeps what it says.
func (w *watched) run(t *testing.T, h *home, dir string, status int, name string, args ...string) result {
	t.Helper()
	cmd := h.command(dir, name, args...)
	r := run(t, cmd)
	if r.status != status {
		t.Fatalf("%s: %s %q: %v", h.name, name, args, r)
	}
	if len(args) > 0 && args[0] != "invite" { // which prints one, as it should
		w.keep(t, cmd, r)
	}
	return r
}

// keep writes down what a program has said.
func (w *watched) keep(t *testing.T, cmd *exec.Cmd, r result) {
	t.Helper()
	w.number++
	name := fmt.Sprintf("said-%d-%s", w.number, filepath.Base(cmd.Path))
	if err := os.WriteFile(filepath.Join(w.records, name), []byte(r.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// clonedFrom begins what git itself writes into reflogs of the URL that it was given.
const clonedFrom = "\tclone: from xmpp::"

// ended checks what a clone with an invite has left: the invite, which is worthless now, is in what git was called with, in traces of that and in git's reflogs of
// the clone, and nowhere else.
func (w *watched) ended(t *testing.T) {
	t.Helper()
	t.Log("after the clone")
	w.check(t)
	asked := []string{" clone ", " remote-xmpp ", "git-remote-xmpp origin "}
	for _, file := range w.files(t, w.records, w.bob.dir, w.alice.dir) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		traced := strings.HasPrefix(filepath.Base(file), "trace-") && filepath.Base(file) != "trace-xmpp"
		for line := range strings.Lines(string(text)) {
			ofGit := strings.HasPrefix(filepath.Base(file), "given-") && slices.ContainsFunc(asked, func(a string) bool { return strings.Contains(line, a) })
			if held := holds([]byte(line), w.invited); held != "" && !traced && !ofGit && !strings.Contains(line, clonedFrom) {
				t.Errorf("%s holds %q: %s", file, held, line)
			}
		}
		if traced || filepath.Dir(file) == w.records || strings.Contains(string(text), clonedFrom) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.secrets = append(w.secrets, w.invited...)
	w.invited = nil
}

// check searches everything for secrets.
func (w *watched) check(t *testing.T) {
	t.Helper()
	for _, file := range w.files(t, w.records, w.bob.dir, w.alice.dir) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if held := holds(text, w.secrets); held != "" {
			at := bytes.Index(text, []byte(held))
			t.Errorf("%s holds %q: …%q…", file, held, text[max(0, at-200):min(len(text), at+len(held)+100)])
		}
		if name := filepath.Base(file); strings.HasPrefix(name, "trace-keys") || strings.HasPrefix(name, "trace-qlog") {
			t.Errorf("%s was made", file)
		}
	}
}

func holds(text []byte, secrets []string) string {
	for _, secret := range secrets {
		if bytes.Contains(text, []byte(secret)) {
			return secret
		}
	}
	return ""
}

// files lists what there is in folders, but for the files that are the secrets' place.
func (w *watched) files(t *testing.T, dirs ...string) (files []string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && path != w.store && path != filepath.Join(w.bob.dataDir(), "identity") && path != filepath.Join(w.alice.dataDir(), "identity") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
