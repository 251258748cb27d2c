package integration

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// Where the parts of an invite are, before its base64.
const (
	inviteKey      = 1
	inviteResource = 33
	inviteSecret   = 41
	inviteChecksum = 57
)

// Invites that let nobody in: nothing is cloned, nothing is written down on either side, and those that are good stay good.
func TestBadInvites(t *testing.T) {
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	carol := newHome(t, p.server, "Carol", "carol")
	plain := carol.newRepo("plain")
	carol.git(plain, "config", "xmpp.uuid", "123e4567-e89b-12d3-a456-426614174000")
	carol.serve(plain).stop() // makes her key, and is a login

	check := func(invite string, status int, refused bool, line string) func(*testing.T) {
		return func(t *testing.T) {
			url := strings.TrimPrefix(invite, "xmpp::")
			b := badInput{
				home: carol, dir: plain, url: url, status: status, refused: refused, line: line, within: 3 * time.Second,
				watched: []string{p.bob.dir, p.alice.dir, carol.dir}, secrets: p.secrets,
			}
			if raw, err := base64.RawURLEncoding.DecodeString(tokenOf(t, invite)); err == nil && len(raw) == 61 {
				b.secrets = append(inviteSecrets(t, invite), p.secrets...)
			}
			b.check(t)
			b.clone = true
			b.check(t)
		}
	}
	used := p.bob.xmpp(p.served, "invite")
	p.alice.git(p.alice.dir, "clone", "--quiet", used, "used")
	t.Run("used by another", check(used, 1, true, "bob@localhost/proj: the invite has been used"))

	t.Run("expired", check(p.bob.xmpp(p.served, "invite", "--expires", "1ms"), 1, true, "bob@localhost/proj: the invite has expired"))

	good := p.bob.xmpp(p.served, "invite", "--label", "Carol")
	changed := []byte(good)
	changed[len(changed)-30] ^= 1
	t.Run("one character changed", check(string(changed), 2, false, "the invite is damaged: copy it again"))
	t.Run("cut off", check(good[:len(good)-1], 2, false, "the invite is damaged: copy it again"))
	t.Run("no invite", check(good[:strings.Index(good, "=")+1]+"%20", 2, false, "the invite is damaged: copy it again"))
	t.Run("another secret", check(forge(t, good, inviteSecret), 1, false, "bob@localhost doesn't know this invite: it was mistyped or changed, or is too old: ask for a new one"))
	t.Run("another key", check(forge(t, good, inviteKey), 1, false, "WARNING: THE KEY OF bob@localhost/proj IS NOT THE ONE IN THE INVITE!"))
	t.Run("another resource", check(forge(t, good, inviteResource), 4, false, "isn't online, or doesn't know us"))

	t.Run("still good", func(t *testing.T) {
		carol.git(carol.dir, "clone", "--quiet", good, "clone")
		carol.git(carol.dir, "clone", "--quiet", good, "again") // by the same home
		clone := filepath.Join(carol.dir, "clone")
		carol.commit(clone, "from-carol")
		carol.git(clone, "push", "--quiet")
	})
	t.Run("of a removed peer", func(t *testing.T) {
		p.bob.xmpp(p.bob.dir, "peers", "remove", p.labelled(t, "Carol"))
		if err := os.RemoveAll(filepath.Join(carol.dir, "again")); err != nil {
			t.Fatal(err)
		}
		check(good, 1, true, "bob@localhost/proj: the invite has been used")(t)
	})
}

// forge changes one byte of an invite and makes its checksum right again.
func forge(t *testing.T, invite string, at int) string {
	t.Helper()
	token := tokenOf(t, invite)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	raw[at] ^= 1
	sum := sha256.Sum256(raw[:inviteChecksum])
	copy(raw[inviteChecksum:], sum[:])
	return strings.Replace(invite, token, base64.RawURLEncoding.EncodeToString(raw), 1)
}

// Another key than the one that is pinned, on the side that serves and on the side that comes.
func TestChangedKeys(t *testing.T) {
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	p.daemon.stop()
	newKey(t, p.bob)
	p.daemon = p.bob.serve(p.bob.dir, p.served)
	p.secrets = append(p.secrets, keySecrets(t, p.bob)...)
	b := p.bad(1, "WARNING: THE KEY OF "+p.daemon.jid+" HAS CHANGED!", "bob@localhost/proj")
	b.check(t)
	b.push = true
	b.check(t)

	// As the warning says.
	p.alice.xmpp(p.clone, "peers", "remove", p.alice.peer(t, func(o peerOutput) bool { return o.Pinned }).Key)
	p.bad(1, "no key known for bob@localhost: ask for an invite there", "bob@localhost/proj").check(t)
	p.alice.git(p.clone, "fetch", "--quiet", p.bob.xmpp(p.served, "invite"))
	p.alice.git(p.clone, "push", "--quiet")

	newKey(t, p.alice)
	p.alice.xmpp(p.clone, "peers")
	p.secrets = append(p.secrets, keySecrets(t, p.alice)...)
	b = p.refused(1, "bob@localhost/proj: this key isn't known here: ask for an invite", "bob@localhost/proj")
	b.within = 3 * time.Second
	b.check(t)
}

// newKey has a home come with another key from its next command on.
func newKey(t *testing.T, h *home) {
	t.Helper()
	if err := os.Remove(filepath.Join(h.dataDir(), "identity")); err != nil {
		t.Fatal(err)
	}
}
