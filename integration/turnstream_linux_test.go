package integration

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/network"
	"git-remote-xmpp/integration/testserver"
)

// Where UDP is blocked, packets go by a TURN server over TCP, or over TLS with a certificate that is trusted, whoever names it: the settings or the XMPP server.
func TestRelayedOverTCP(t *testing.T) {
	t.Parallel()
	trust := func(p *watchedPair, turn *testserver.TURNServer) {
		file := filepath.Join(p.alice.dir, "authorities.pem")
		join(t, file, p.alice.git(p.alice.dir, "config", "xmpp.sslCAInfo"), turn.CAFile)
		p.alice.git(p.alice.dir, "config", "--global", "xmpp.sslCAInfo", file)
	}
	for name, c := range map[string]struct {
		over    string // the XMPP server names it for
		setting string // of xmpp.iceServers, with the user and the server's address
		trusted bool
		relayed bool
	}{
		"TCP named by the server": {over: "tcp", relayed: true},
		"TCP of the settings":     {setting: "turn:%s@%s?transport=tcp", relayed: true},
		"TLS named by the server": {over: "tls", trusted: true, relayed: true},
		"TLS of the settings":     {setting: "turns:%s@%s", trusted: true, relayed: true},
		"TLS that isn't trusted":  {over: "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trace := filepath.Join(t.TempDir(), "trace")
			var relay netip.AddrPort
			p := newWatchedPair(t, watchedOptions{
				alices: "auto", bobs: "auto", rules: "meta l4proto udp drop", turnOver: c.over, noTURN: c.over == "", noProxy: true,
				prepare: func(p *watchedPair, turn *testserver.TURNServer) {
					relay = p.turn
					if c.over == "tls" || strings.HasPrefix(c.setting, "turns:") {
						relay = netip.AddrPortFrom(p.turn.Addr(), uint16(turn.TLSPort))
					}
					if c.trusted {
						trust(p, turn)
					}
					if c.setting != "" {
						user, password := turn.Credentials()
						p.alice.git(p.alice.dir, "config", "--global", "xmpp.iceServers", fmt.Sprintf(c.setting, user, relay))
						p.alice.keepPassword("turn", relay.String(), user, password)
						p.bob.git(p.bob.dir, "config", "--global", "xmpp.iceServers", "stun:"+p.turn.String()) // a relay lets in who it is told of
					}
					p.alice.env = append(p.alice.env, "GIT_XMPP_TRACE="+trace)
				},
			})
			toRelay := network.Flow{Protocol: "tcp", To: relay}
			p.at[p.alice].Do(func() { p.alice.git(p.clone, "ls-remote", "origin") })
			if !c.relayed {
				await(t, "the certificate to be refused", func() bool {
					text, _ := os.ReadFile(trace) // it may not be there yet
					return strings.Contains(string(text), "certificate signed by unknown authority")
				})
				if left := p.left[p.alice].Flows(); left[toRelay] == 0 {
					t.Errorf("nothing went to %s: the test looks in the wrong place", relay)
				}
				p.exchange(t)
				p.alice.awaitPath(t, "in-band")
				return
			}
			p.alice.awaitPath(t, "relayed")
			p.exchange(t)
			if left := p.left[p.alice].Flows(); left[toRelay] < 100 { // some 4 MB
				t.Errorf("%d packets went to the relay: %s", left[toRelay], network.List(left))
			}
			p.alice.awaitPath(t, "relayed")
		})
	}
}

// join makes one file of several.
func join(t *testing.T, file string, files ...string) {
	t.Helper()
	var all []byte
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	if err := os.WriteFile(file, all, 0o600); err != nil {
		t.Fatal(err)
	}
}

// keepPassword has git's credential store know a password.
func (h *home) keepPassword(protocol, host, user, password string) {
	h.t.Helper()
	store := filepath.Join(h.dir, "credentials")
	h.git(h.dir, "config", "--global", "credential.helper", "store --file="+store)
	cmd := h.command(h.dir, "git", "credential", "approve")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("protocol=%s\nhost=%s\nusername=%s\npassword=%s\n\n", protocol, host, user, password))
	if r := run(h.t, cmd); r.status != 0 {
		h.t.Fatal(r)
	}
}
