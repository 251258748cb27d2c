package integration

import (
	"os"
	"os/exec"
	"path/filepath"
)

// certNonce makes the serving side ask for signed pushes, which all scenes here need.
var certNonce = sceneOptions{config: map[string]string{"receive.certNonceSeed": "a seed that nobody knows"}}

// Pushes that are signed with an ssh key.
var pushSigned = map[string]pushScene{
	"signed":         {play: signedPush, options: certNonce},
	"atomic":         {play: signedAtomic, options: certNonce},
	"unknown-signer": {play: signedByNobody, options: certNonce},
	"hook-wants-it":  {play: signedWanted, options: certNonce},
	"not-asked":      {play: signedNotAsked},
}

// signer makes an ssh key for Alice's clone, and has Bob trust it, or not.
func (c *scene) signer(dir string, trusted bool) {
	c.Helper()
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		c.Skip("ssh-keygen isn't here")
	}
	key := filepath.Join(c.dir, "key")
	cmd := exec.CommandContext(c.Context(), keygen, "-q", "-t", "ed25519", "-N", "", "-C", "Alice", "-f", key)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	for name, value := range map[string]string{"gpg.format": "ssh", "user.signingKey": key + ".pub"} {
		c.alice.git(dir, "config", name, value)
	}
	signers := ""
	if trusted {
		public, err := os.ReadFile(key + ".pub")
		if err != nil {
			c.Fatal(err)
		}
		signers = "alice@example.org " + string(public)
	}
	c.write(filepath.Join(c.served, "signers"), signers)
	c.bob.git(c.served, "config", "gpg.ssh.allowedSignersFile", filepath.Join(c.served, "signers"))
}

// certificate is what a hook tells of a certificate: how it was judged, and what is in it that is the same each time.
const certificate = `echo "${0##*/}: $GIT_PUSH_CERT_STATUS $GIT_PUSH_CERT_NONCE_STATUS <$GIT_PUSH_CERT_SIGNER>"
[ "$GIT_PUSH_CERT" ] && git cat-file blob $GIT_PUSH_CERT | grep -E '^(certificate version|pushee|push-option|[0-9a-f]{40} )'
[ -z "$GIT_PUSH_CERT" ] || git cat-file blob $GIT_PUSH_CERT | grep -q "^nonce $GIT_PUSH_CERT_NONCE"'$' || echo another nonce
`

func signedPush(c *scene) {
	c.bob.git(c.served, "config", "receive.advertisePushOptions", "true")
	c.hook(c.served, "pre-receive", certificate+"exit 0\n")
	c.hook(c.served, "post-receive", certificate+"exit 0\n")
	c.seed("main", "topic")
	dir := c.local()
	c.signer(dir, true)
	c.alice.commit(dir, "more")
	r := c.git(dir, "push", "--signed", "-o", "an option", "origin", "main", ":topic", "main:refs/tags/v1")
	mustSay(c.T, r.stderr, "remote: pre-receive: G OK <alice@example.org>", "remote: post-receive: G OK <alice@example.org>",
		"remote: certificate version 0.1", "remote: push-option an option", " refs/heads/main")
	c.git(dir, "-c", "push.gpgSign=true", "push", "origin", "main:new")
	c.git(dir, "push", "--no-signed", "origin", "main:newer")
}

func signedAtomic(c *scene) {
	c.hook(c.served, "pre-receive", certificate+"exit 0\n")
	c.hook(c.served, "update", "[ $1 != refs/heads/bad ]\n")
	dir := c.twoBranches()
	c.signer(dir, true)
	c.git(dir, "push", "--signed", "--atomic", "origin", "good", "bad")
	c.git(dir, "push", "--signed", "--atomic", "origin", "good", "good:new")
}

// A signature of a key that the serving side doesn't know.
func signedByNobody(c *scene) {
	c.hook(c.served, "pre-receive", `echo "$GIT_PUSH_CERT_STATUS $GIT_PUSH_CERT_NONCE_STATUS"; [ "$GIT_PUSH_CERT_STATUS" = G ]`+"\n")
	c.seed("main")
	dir := c.local()
	c.signer(dir, false)
	c.git(dir, "push", "--signed", "origin", "main:new")
	c.alice.git(dir, "config", "user.signingKey", filepath.Join(c.dir, "nowhere"))
	if r := c.alice.try(dir, "git", "push", "--signed", "origin", "main:new"); r.status == 0 {
		c.Errorf("signed without a key: %v", r)
	}
}

func signedWanted(c *scene) {
	c.hook(c.served, "pre-receive", `[ "$GIT_PUSH_CERT_NONCE_STATUS" = OK ] || { echo sign it; exit 1; }`+"\n")
	c.seed("main")
	dir := c.local()
	c.signer(dir, true)
	c.git(dir, "push", "origin", "main:new")
	c.git(dir, "push", "--signed=if-asked", "origin", "main:new")
}

// The serving side has no seed, so it takes no certificates.
func signedNotAsked(c *scene) {
	c.seed("main")
	dir := c.local()
	c.signer(dir, true)
	c.git(dir, "push", "--signed", "origin", "main:new")
	c.git(dir, "push", "--signed=if-asked", "origin", "main:new")
}
