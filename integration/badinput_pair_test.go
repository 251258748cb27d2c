package integration

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// A pair is a repository of Bob's that is served, and a clone of it of Alice's.
type pair struct {
	server     *testserver.Server
	bob, alice *home
	daemon     *daemon
	served     string
	clone      string
	secrets    []string // passwords, the invite's and the private keys of both
}

// newPair pairs two homes, of Bob and Alice. Bob serves repositories of more names beside the one that Alice may read and write.
func newPair(t *testing.T, s *testserver.Server, repositories ...string) *pair {
	t.Helper()
	p := &pair{server: s, bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice")}
	p.served = p.bob.newRepo("proj")
	served := []string{p.served}
	for _, name := range repositories {
		served = append(served, p.bob.newRepo(name))
	}
	p.daemon = p.bob.serve(p.bob.dir, served...)
	invite := p.bob.xmpp(p.served, "invite", "--label", "Alice")
	p.alice.git(p.alice.dir, "clone", "--quiet", invite, "clone")
	p.clone = filepath.Join(p.alice.dir, "clone")
	p.alice.commit(p.clone, "unpushed")
	p.secrets = append(inviteSecrets(t, invite), s.Accounts["bob"], s.Accounts["alice"])
	for _, h := range []*home{p.bob, p.alice} {
		p.secrets = append(p.secrets, keySecrets(t, h)...)
	}
	return p
}

// dataDir is where a home keeps its key and its peers.
func (h *home) dataDir() string { return filepath.Join(h.dir, "data", "git-remote-xmpp") }

// bad is a badInput of Alice's clone: nothing of both homes may change.
func (p *pair) bad(status int, line, url string) badInput {
	return badInput{
		home: p.alice, dir: p.clone, url: url, status: status, line: line, secrets: p.secrets,
		watched: []string{p.bob.dir, p.alice.dir},
	}
}

// refused is bad where it is the peer that says so.
func (p *pair) refused(status int, line, url string) badInput {
	b := p.bad(status, line, url)
	b.refused = true
	return b
}

// inviteSecrets is what mustn't be seen of an invite: its end, where the secret and the checksum are.
func inviteSecrets(t *testing.T, invite string) []string {
	t.Helper()
	token := tokenOf(t, invite)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 61 {
		t.Fatalf("%s is no invite: %v", invite, err)
	}
	secret := raw[41:57]
	return []string{token[len(token)-16:], base64.RawStdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret), hex.EncodeToString(secret)}
}

// tokenOf is the invite in a URL.
func tokenOf(t *testing.T, invite string) string {
	t.Helper()
	_, query, _ := strings.Cut(invite, "?")
	values, err := url.ParseQuery(query)
	if err != nil || values.Get("invite") == "" {
		t.Fatalf("%s is no url with an invite: %v", invite, err)
	}
	return values.Get("invite")
}

// keySecrets is what mustn't be seen of a home's key: its seed.
func keySecrets(t *testing.T, h *home) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dataDir(), "identity"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil || len(block.Bytes) < 32 {
		t.Fatalf("the key of %s isn't as expected", h.name)
	}
	seed := block.Bytes[len(block.Bytes)-32:]
	return []string{strings.TrimSpace(strings.Split(string(text), "\n")[1]), base64.RawStdEncoding.EncodeToString(seed), hex.EncodeToString(seed)}
}

// runWithin runs a command that must end in time.
func runWithin(t *testing.T, limit time.Duration, cmd *exec.Cmd) result {
	t.Helper()
	watch := time.AfterFunc(limit, func() { _ = cmd.Cancel() })
	defer watch.Stop()
	return run(t, cmd)
}

// labelled is the fingerprint of a peer that Bob has given a label.
func (p *pair) labelled(t *testing.T, label string) string {
	t.Helper()
	return p.bob.peer(t, func(o peerOutput) bool { return o.Label == label }).Key
}

// peerOutput is a peer as scripts see it.
type peerOutput struct {
	Key, Label string
	Clients    []string
	Pinned     bool
	VouchedBy  []string
	Access     map[string]string
	Refs       map[string][]string
}

// peers are all that a home knows.
func (h *home) peers() []peerOutput {
	h.t.Helper()
	var list struct{ Peers []peerOutput }
	if err := json.Unmarshal([]byte(h.xmpp(h.dir, "peers", "--json")), &list); err != nil {
		h.t.Fatal(err)
	}
	return list.Peers
}

// peer is the first that a home knows and that is as it should be.
func (h *home) peer(t *testing.T, is func(peerOutput) bool) peerOutput {
	t.Helper()
	list := h.in(t).peers()
	i := slices.IndexFunc(list, is)
	if i < 0 {
		t.Fatalf("no such peer among %+v", list)
	}
	return list[i]
}
