package integration

import (
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// noteBytes is what goes where the user is to be told that it takes long.
const noteBytes = 20 << 20

var (
	anyNote = regexp.MustCompile(`MB (go|went) through the xmpp server`)
	// plainNote is for who doesn't want anything else, otherNote for who does.
	plainNote = `about 21 MB go through the xmpp server, for \d+ (s|min) more at [0-9.]+ [kM]B/s`
	otherNote = plainNote + "; it would be faster without it, but: the peer doesn't look for a direct path; see xmpp.directPath there"
)

// Before much goes through the server the user is told how long it will take, and why it takes no faster way; on a push, a clone, and through the agent. With -q nothing is said.
func TestInbandNote(t *testing.T) {
	t.Parallel()
	p := newDirectPair(t, testserver.New(t, testserver.Prosody, testserver.Options{BytesPerSecond: 5_000_000}), "auto", "never")
	randomFile(t, filepath.Join(p.served, "noise"), noteBytes)
	p.bob.commit(p.served, "noise")
	randomFile(t, filepath.Join(p.clone, "other"), noteBytes)
	p.alice.commit(p.clone, "other")
	const url = "xmpp::bob@localhost/proj"
	for name, test := range map[string]struct {
		note string
		dir  string
		args []string
	}{
		"push":          {otherNote, p.clone, []string{"-c", "xmpp.agent=never", "push", "origin", "main:one"}},
		"push by agent": {otherNote, p.clone, []string{"push", "origin", "main:two"}},
		"clone":         {otherNote, p.alice.dir, []string{"-c", "xmpp.agent=never", "clone", url, "one"}},
		"clone, never":  {plainNote, p.alice.dir, []string{"-c", "xmpp.directPath=never", "clone", url, "two"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := p.alice.command(test.dir, "git", test.args...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			line := awaitMatch(t, startLines(t, cmd), anyNote)
			if !regexp.MustCompile("^" + test.note + "$").MatchString(line) {
				t.Errorf("said %q, want %s", line, test.note)
			}
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // ours; the rest takes long
			_ = cmd.Wait()
		})
	}
	t.Run("quiet", func(t *testing.T) {
		t.Parallel()
		if r := p.alice.gitBoth(p.alice.dir, "clone", "--quiet", url, "three"); anyNote.MatchString(r.stderr) {
			t.Error(r)
		}
	})
}

// Where packets go directly there is nothing to be told.
func TestInbandNoteNotDirectly(t *testing.T) {
	t.Parallel()
	p := newDirectPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "auto", "auto")
	randomFile(t, filepath.Join(p.served, "noise"), noteBytes)
	p.bob.commit(p.served, "noise")
	slow := filepath.Join(p.bob.dir, "slow") // it takes longer than the user would have to wait for the note
	writeProgram(t, slow, "#!/bin/sh\n\"$@\" | while head -c 2000000 >"+slow+".part; test -s "+slow+".part; do cat "+slow+".part; sleep 0.3; done\n")
	p.bob.git(p.bob.dir, "config", "--global", "uploadpack.packObjectsHook", slow)
	p.alice.git(p.clone, "ls-remote")
	await(t, "packets to go directly", func() bool {
		s := p.alice.status()
		return len(s.Connections) == 1 && s.Connections[0].Path == "direct"
	})
	if r := p.alice.gitBoth(p.alice.dir, "clone", "xmpp::bob@localhost/proj", "again"); anyNote.MatchString(r.stderr) {
		t.Error(r)
	}
}
