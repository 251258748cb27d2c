package integration

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/chunk"
	"git-remote-xmpp/integration/testserver"
)

const (
	// floodStanzas is how many of each kind come.
	floodStanzas = 10_000
	// floodStanzaBytes is by how much serve may grow meanwhile.
	floodStanzaBytes = 24 << 20
)

// Presences and messages by the thousand from a known peer's account: it comes and goes, and what it sends is no packet, or one of nothing.
func TestFloodOfStanzas(t *testing.T) {
	t.Parallel()
	for _, name := range testserver.XMPP {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFloodScene(t, name)
			flood := newFlooder(t, f.server, "alice", "flood", f.daemon.jid)
			began := time.Now()
			var presences strings.Builder
			for n := range floodStanzas {
				kind := ""
				if n%2 == 1 {
					kind = " type='unavailable'"
				}
				presences.WriteString("<presence to='" + f.daemon.jid + "'" + kind + "><status>here, or not</status></presence>")
			}
			flood.say(presences.String())
			f.push("presences")
			f.bounded("presences", floodUse{bytes: floodStanzaBytes})
			random := rand.New(rand.NewPCG(1, 2))
			for n := range floodStanzas {
				flood.say(garbage(random, flood, n))
			}
			f.push("garbage")
			f.bounded("garbage", floodUse{bytes: floodStanzaBytes})
			t.Logf("%d presences and %d messages in %v", floodStanzas, floodStanzas, time.Since(began))
			f.ended()
		})
	}
}

// garbage is a message of one of several kinds that mean nothing.
func garbage(random *rand.Rand, f *flooder, n int) string {
	noise := make([]byte, 1200)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	switch n % 5 {
	case 0: // no base64
		return strings.Replace(f.packetMessage(noise), "<p xmlns='"+floodNS+"'>", "<p xmlns='"+floodNS+"'>?*", 1)
	case 1: // no datagrams
		return f.packetMessage(noise)
	case 2: // a short header, of no connection
		noise[0] = 0x40
	case 3: // of an unknown version
		copy(noise, []byte{0xc0, 0xba, 0xba, 0xba, 0xba, 8})
	case 4: // what looks like the first packet of a connection
		copy(noise, []byte{0xc0, 0, 0, 0, 1, 8})
		noise[14], noise[15], noise[16], noise[17] = 0, 0, 0x44, 0x9e // no id of the sender's, no token, the length
	}
	return f.packetMessage(chunk.Append(nil, noise))
}
