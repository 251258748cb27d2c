package transport_test

import (
	"context"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
	"mellium.im/xmpp/jid"
)

// What is said to a room is seen by who is in it, also where somebody has our name there, and what is said to a person by that person. Where it can't be said,
// the error says why, and no room is made.
func TestSay(t *testing.T) {
	t.Parallel()
	testserver.OnEach(t, testserver.Options{Rooms: true}, func(t *testing.T, s *testserver.Server) {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		room, closed := jid.MustParse("git@rooms."+s.Domain), jid.MustParse("nobody@rooms."+s.Domain)
		carol := testserver.Login(ctx, t, s, "carol", false)
		carol.Enter(ctx, t, room, "alice (git)")
		cfg := configFor(t, s, "alice", "git-a")
		cfg.Serve = true
		alice := start(t, cfg)
		for _, text := range []string{"bob pushed <main> & more to proj", "and another"} {
			if err := alice.Say(ctx, room, text); err != nil {
				t.Fatal(err)
			}
			if m := carol.Receive(ctx, t); m.Body != text || m.Type != "groupchat" || m.From.Resourcepart() != "alice (git 2)" || !m.From.Bare().Equal(room) {
				t.Errorf("got %+v", m)
			}
		}
		for range 2 { // the first doesn't make it
			if err := alice.Say(ctx, closed, "is anybody there?"); err == nil || !strings.Contains(err.Error(), "say something to "+closed.String()+": there is no such room: item-not-found") {
				t.Errorf("to a room that isn't there: %v", err)
			}
		}
		carol.Appear(ctx, t)
		if err := alice.Say(ctx, jid.MustParse("carol@"+s.Domain), "hello"); err != nil {
			t.Error(err)
		}
		if m := carol.Receive(ctx, t); m.Body != "hello" || m.Type != "chat" || !m.From.Equal(alice.JID()) {
			t.Errorf("got %+v", m)
		}
		if err := alice.Say(ctx, jid.MustParse("nobody@"+s.Domain), "hello"); err == nil || !strings.Contains(err.Error(), "service-unavailable") {
			t.Errorf("to nobody: %v", err)
		}
	})
}
