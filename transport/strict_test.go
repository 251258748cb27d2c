package transport_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

var sentLess = regexp.MustCompile(`msg="(?:the xmpp server|a peer) is sent less".* bytesPerSecond=(\d+)`)

// To a server that says that it is too much, less is sent, from then on and after the next login: it isn't told twice what is known, and what was to be sent arrives.
func TestStrictServer(t *testing.T) {
	t.Parallel() // it waits most of the time
	const limit = 300_000
	for beyond, bytes := range map[string]int{"bounce": 1 << 20, "resource-constraint": 1 << 20, "policy-violation": 2 << 20} { // the first of which may be about the messages' size
		t.Run(beyond, func(t *testing.T) {
			t.Parallel()
			s := testserver.New(t, testserver.Prosody, testserver.Options{StrictBytes: limit, Beyond: beyond})
			a, b := configFor(t, s, "alice", "git-a"), configFor(t, s, "bob", "git-b")
			log := newJournal(&a)
			b.Serve, b.Admit = true, a.Account.Equal
			from, to := connect(t, start(t, a), start(t, b), public(b))
			transfer(t, from, to, random(bytes))
			text := log.all()
			last := 0
			lowered := sentLess.FindAllStringSubmatch(text, -1)
			for _, line := range lowered {
				rate, err := strconv.Atoi(line[1])
				if err != nil || last > 0 && rate >= last {
					t.Errorf("after %d bytes per second: %s", last, line[0])
				}
				last = rate
			}
			if lost := strings.Count(text, "xmpp link lost"); len(lowered) == 0 || len(lowered) > 6 || lost > len(lowered)+3 { // a link may be reset without a word
				t.Errorf("less was sent %d times, the link was lost %d times: %s", len(lowered), lost, regexp.MustCompile(`.*(sent less|xmpp link).*`).FindAllString(text, -1))
			}
		})
	}
}

// all is what was logged until now.
func (j *journal) all() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
