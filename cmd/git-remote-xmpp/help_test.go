package main

import "testing"

func TestIsGitXMPP(t *testing.T) {
	for argv0, want := range map[string]bool{
		"git-xmpp": true, "/usr/bin/git-xmpp": true, "git-xmpp.exe": true, "GIT-XMPP.EXE": true,
		"git-remote-xmpp": false, "git-remote-xmpp.exe": false, "/git-xmpp/git": false, "git-xmpp-2": false, "": false,
	} {
		if got := isGitXMPP(argv0); got != want {
			t.Errorf("%q: %v", argv0, got)
		}
	}
}
