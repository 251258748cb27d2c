//go:build unix

package integration

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// The main job, with Git LFS, repositories kept in step, hooks on both sides and errors, and with every log and trace that there is: no password, key or secret of an invite
// is in anything that is written, said, or given to a program, but where the user has put it.
func TestSecretsNowhere(t *testing.T) {
	testserver.Require(t, testserver.GitLFS)
	w := newWatched(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	bob, alice := w.bob, w.alice
	served := bob.newRepo("proj")
	bob.git(served, "config", "xmpp.sync", "true")
	bob.git(served, "config", "receive.procReceiveRefs", "refs/for")
	for _, name := range []string{"pre-receive", "update", "proc-receive", "post-receive", "post-update", "reference-transaction", "pre-push", "post-xmpp-sync", "post-xmpp-receive"} {
		w.hook(t, served, name)
	}
	w.watch(t)
	daemon := w.serve(t, bob, served)
	invite := w.run(t, bob, served, 0, "git-remote-xmpp", "invite", "--label", "Alice").stdout
	invite = strings.TrimSpace(invite)
	w.invited = inviteSecrets(t, invite)
	w.run(t, alice, alice.dir, 0, "git-remote-xmpp", "lfs", "setup")
	w.run(t, alice, alice.dir, 0, "git", "clone", invite, "clone")
	w.ended(t)

	clone := filepath.Join(alice.dir, "clone")
	w.run(t, alice, clone, 0, "git", "config", "xmpp.sync", "true")
	w.run(t, alice, clone, 0, "git", "lfs", "install")
	for _, name := range []string{"post-xmpp-sync", "reference-transaction", "post-checkout", "post-merge", "pre-receive", "post-receive"} {
		w.hook(t, clone, name)
	}
	w.run(t, alice, clone, 0, "git", "lfs", "track", "*.bin")
	randomFile(t, filepath.Join(clone, "large.bin"), 100_000)
	alice.commit(clone, "hers")
	w.run(t, alice, clone, 0, "git", "push", "origin", "main", "main:topic")
	w.run(t, alice, clone, 1, "git", "push", "origin", "main:refs/for/main")
	bob.commit(served, "bobs")
	alice.commit(clone, "diverged")
	w.run(t, alice, clone, 0, "git", "push", "origin", "main")
	w.run(t, alice, clone, 0, "git", "pull", "--no-rebase", "--no-edit", "origin", "main")
	w.run(t, alice, clone, 0, "git", "push", "origin", "main")
	w.run(t, alice, clone, 0, "git", "gc", "--quiet") // packs refs
	w.failures(t, clone, served)

	second := w.serve(t, alice, clone)
	id := bob.commit(served, "by-itself")
	await(t, "the commit", func() bool { return alice.try(clone, "git", "rev-parse", "main").stdout == id+"\n" })
	id = alice.commit(clone, "back")
	await(t, "the other commit", func() bool { return bob.try(served, "git", "rev-parse", "main").stdout == id+"\n" })
	w.run(t, alice, clone, 0, "git-remote-xmpp", "sync")
	w.run(t, alice, clone, 0, "git", "lfs", "fetch", "--all")
	for _, h := range []*home{bob, alice} {
		for _, args := range [][]string{{"status"}, {"status", "--json"}, {"peers"}, {"peers", "--json"}} {
			w.run(t, h, h.dir, 0, "git-remote-xmpp", args...)
		}
	}
	w.stop(t, second)
	bob.commit(served, "apart")
	alice.commit(clone, "from-him")
	second = w.serve(t, alice, clone)
	await(t, "post-xmpp-sync", func() bool { return len(w.given(t, "post-xmpp-sync")) > 0 })
	w.stop(t, second)
	w.stop(t, daemon)
	w.check(t)
	for _, name := range []string{"pre-receive", "update", "proc-receive", "post-receive", "post-update", "reference-transaction", "pre-push", "post-xmpp-sync", "git", "git-remote-xmpp"} {
		if len(w.given(t, name)) == 0 {
			t.Errorf("%s hasn't run: nothing is known of what it is given", name)
		}
	}
}

// failures are commands that can't do what they are asked for, each with a secret in it.
func (w *watched) failures(t *testing.T, clone, served string) {
	t.Helper()
	wrong := "wrong-" + rand.Text()
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed)
	almost := base64.StdEncoding.EncodeToString(seed) + "x"
	w.secrets = append(w.secrets, wrong, almost)
	plain := *w.alice // whose programs write nothing down: what they are given holds the secret
	plain.gitPath, plain.env = "", append(slices.Clone(plain.env), "PATH="+binDir+string(os.PathListSeparator)+os.Getenv("PATH"))
	for env, args := range map[string][]string{
		"GIT_XMPP_PASSWORD=" + wrong:        {"git", "fetch", "origin"},
		"GIT_XMPP_PASSWORD=" + wrong + "x":  {"git-remote-xmpp", "serve"},
		"GIT_XMPP_PASSWORD=" + wrong + "\n": {"git-remote-xmpp", "serve"},
		"GIT_XMPP_IDENTITY=" + almost:       {"git-remote-xmpp", "peers"},
		"GIT_XMPP_SERVER=127.0.0.1:1":       {"git", "push", "origin"},
	} {
		cmd := plain.command(clone, args[0], args[1:]...)
		cmd.Env = append(cmd.Env, env)
		r := run(t, cmd)
		if r.status == 0 {
			t.Errorf("%v: %v", args, r)
		}
		w.keep(t, cmd, r)
	}
	// An invite that is good for nobody is told, and not shown.
	used := w.run(t, w.bob, served, 0, "git-remote-xmpp", "invite", "--expires", "1ms").stdout
	w.invited = append(w.invited, inviteSecrets(t, strings.TrimSpace(used))...)
	cmd := plain.command(clone, "git-remote-xmpp", "origin", strings.TrimPrefix(strings.TrimSpace(used), "xmpp::"))
	cmd.Stdin = strings.NewReader("capabilities\nconnect git-upload-pack\n")
	r := run(t, cmd)
	if r.status != 1 {
		t.Errorf("an invite of the past: %v", r)
	}
	w.keep(t, cmd, r)
}
