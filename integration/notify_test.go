package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
	"mellium.im/xmpp/jid"
)

// Who is in the room of xmpp.notify, or is named there, reads who has pushed what, and the hook post-xmpp-receive runs, after the push. A room that isn't there, or
// a hook that fails, is a line of serve's, and nothing to the pusher.
func TestNotify(t *testing.T) {
	testserver.OnEach(t, testserver.Options{Rooms: true}, func(t *testing.T, s *testserver.Server) {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		room := jid.MustParse("git@rooms." + s.Domain)
		carol := testserver.Login(ctx, t, s, "carol", false)
		carol.Enter(ctx, t, room, "Carol")
		carol.Appear(ctx, t)
		bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
		served, seen := bob.newRepo("proj"), filepath.Join(bob.dir, "seen")
		bob.git(served, "config", "xmpp.notify", room.String())
		hook(t, served, "post-xmpp-receive", fmt.Sprintf("#!/bin/sh\n{ echo $GIT_XMPP_PEER_LABEL; cat; } >%s.new; mv %[1]s.new %[1]s; echo told; exit 7\n", seen))
		serve := bob.serve(served)
		clone := filepath.Join(alice.dir, "clone")
		alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite", "--label", "Alice's laptop"), clone)

		before := bob.git(served, "rev-parse", "main")
		alice.commit(clone, "one")
		pushed := alice.commit(clone, "fix the <door> & 🚪")
		alice.git(clone, "push", "--quiet", "origin", "main")
		if m := carol.Receive(ctx, t); m.Body != "Alice's laptop pushed main (2 commits) to proj: fix the <door> & 🚪" || m.From.Bare().String() != room.String() {
			t.Errorf("in the room: %+v", m)
		}
		awaitFile(t, seen)
		if got, err := os.ReadFile(seen); err != nil || string(got) != fmt.Sprintf("Alice's laptop\n%s %s refs/heads/main\n", before, pushed) {
			t.Errorf("the hook got %q, %v", got, err)
		}

		bob.git(served, "config", "xmpp.notify", "nobody@rooms."+s.Domain)
		alice.git(clone, "push", "--quiet", "origin", "main:topic")
		bob.git(served, "config", "xmpp.notify", "carol@"+s.Domain)
		bob.commit(served, "bobs")
		alice.commit(clone, "hers")
		alice.git(clone, "push", "--quiet", "origin", "main")
		uuid := alice.git(clone, "config", "xmpp.uuid")
		want := "Alice's laptop pushed main (waits in refs/synced/" + uuid + "/main, 1 commit) to proj: hers"
		if m := carol.Receive(ctx, t); m.Body != want || m.Type != "chat" {
			t.Errorf("to carol: %+v, want %q", m, want)
		}
		alice.git(clone, "push", "--quiet", "origin", "main:last")
		serve.stop() // says at once what would have waited
		if m := carol.Receive(ctx, t); m.Body != "Alice's laptop pushed last (new) to proj: hers" {
			t.Errorf("at the end: %+v", m)
		}
		log := serve.stderr.String()
		if strings.Count(log, "notification not sent") != 1 {
			t.Errorf("serve says %s", log)
		}
		mustSay(t, log, "there is no such room", `msg="post-xmpp-receive failed"`, "exit status 7", "said=told")
	})
}
