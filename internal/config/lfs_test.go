package config

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Settings are gone through in the order of git-lfs(1).
func TestLFSRemote(t *testing.T) {
	h := newHome(t)
	h.git("-C", h.repo, "remote", "add", "origin", "xmpp::bob@example.org/proj")
	h.git("-C", h.repo, "remote", "set-url", "--push", "origin", "xmpp::bob@example.org/push")
	h.git("-C", h.repo, "remote", "add", "short", "people:carol@example.org/proj")
	h.set("url.xmpp::.insteadOf", "people:")
	check := func(remote string, upload bool, want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := LFSRemote(ctx, h.repo, h.env, remote, upload)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", remote, got, err, want)
		}
	}
	check("origin", false, "xmpp::bob@example.org/proj")
	check("origin", true, "xmpp::bob@example.org/push")
	check("short", true, "xmpp::carol@example.org/proj")
	check("people:dave@example.org/proj", false, "xmpp::dave@example.org/proj")
	check("nothing", false, "nothing")

	lfsconfig := filepath.Join(h.repo, ".lfsconfig")
	if err := os.WriteFile(lfsconfig, []byte("[remote \"origin\"]\n\tlfsurl = people:file@example.org/proj\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("origin", false, "xmpp::file@example.org/proj")
	h.git("-C", h.repo, "add", ".lfsconfig")
	h.git("-C", h.repo, "-c", "user.name=a", "-c", "user.email=a", "commit", "-q", "-m", "x")
	if err := os.Remove(lfsconfig); err != nil {
		t.Fatal(err)
	}
	check("origin", true, "xmpp::file@example.org/proj")
	h.set("remote.origin.lfsurl", "xmpp::set@example.org/proj")
	check("origin", true, "xmpp::set@example.org/proj")
	h.set("remote.origin.lfspushurl", "xmpp::pushed@example.org/proj")
	check("origin", true, "xmpp::pushed@example.org/proj")
	check("origin", false, "xmpp::set@example.org/proj")
	h.set("lfs.url", "xmpp::all@example.org/proj")
	check("origin", true, "xmpp::all@example.org/proj")
	h.set("lfs.pushurl", "xmpp::allpushed@example.org/proj")
	check("short", true, "xmpp::allpushed@example.org/proj")
	check("short", false, "xmpp::all@example.org/proj")
}

func TestLFSRemoteOutsideOfARepository(t *testing.T) {
	h := newHome(t)
	if got, err := LFSRemote(t.Context(), h.dir, h.env, "xmpp::bob@example.org/proj", false); err != nil || got != "xmpp::bob@example.org/proj" {
		t.Errorf("%q, %v", got, err)
	}
}
