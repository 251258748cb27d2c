package repo

import (
	"slices"
	"strings"
	"testing"
)

func TestCommandRefusesBadArguments(t *testing.T) {
	w := newWorld(t)
	repo, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	good := Sender{testJID, aliceUUID, testKey, "alice"}
	with := func(change func(*Sender)) Sender { s := good; change(&s); return s }
	for name, test := range map[string]struct {
		service Service
		version int
		sender  Sender
		policy  Policy
	}{
		"service":         {"git-shell", 0, good, Policy{}},
		"version":         {ReceivePack, 3, good, Policy{}},
		"mode":            {ReceivePack, 0, good, Policy{Mode: "wild"}},
		"integrate":       {ReceivePack, 0, good, Policy{Integrate: "wild"}},
		"line in label":   {UploadPack, 0, with(func(s *Sender) { s.Label = "a\nb" }), Policy{}},
		"not UTF-8":       {UploadPack, 0, with(func(s *Sender) { s.Label = "\xff" }), Policy{}},
		"long key":        {UploadPack, 0, with(func(s *Sender) { s.Key = strings.Repeat("k", 4000) }), Policy{}},
		"no address":      {UploadPack, 0, with(func(s *Sender) { s.JID = "" }), Policy{}},
		"push, no uuid":   {ReceivePack, 0, with(func(s *Sender) { s.UUID = "" }), Policy{}},
		"uuid with slash": {ReceivePack, 0, with(func(s *Sender) { s.UUID = "../heads" }), Policy{}},
		"upper-case uuid": {ReceivePack, 0, with(func(s *Sender) { s.UUID = strings.ToUpper("aaaaaaaa-1111-4111-8111-111111111111") }), Policy{}},
	} {
		if _, err := repo.Command(t.Context(), test.service, test.version, test.sender, test.policy, HooksDir(w.data)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCommandEnvironment(t *testing.T) {
	w := newWorld(t)
	t.Setenv("GIT_DIR", "/nowhere")
	t.Setenv("GIT_XMPP_PASSWORD", "secret")
	t.Setenv("LANG", "de_DE.UTF-8")
	repo, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := repo.Command(t.Context(), UploadPack, 2, Sender{JID: testJID}, Policy{}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range cmd.Env {
		name, _, _ := strings.Cut(kv, "=")
		if name == "LANG" || strings.HasPrefix(name, "GIT_") && name != "GIT_PROTOCOL" && !strings.HasPrefix(name, "GIT_XMPP_PEER_") {
			t.Errorf("git sees %s", kv)
		}
	}
	if !slices.Contains(cmd.Env, "GIT_PROTOCOL=version=2") || !slices.Contains(cmd.Env, "LC_ALL=C") {
		t.Error("variables are missing")
	}
}

func TestHideSynced(t *testing.T) {
	mine := "refs/synced/" + aliceUUID
	for name, test := range map[string]struct{ own, want []string }{
		"nothing of its own": {nil, []string{"refs/synced", "!" + mine}},
		"something else":     {[]string{"refs/pull"}, []string{"refs/synced", "!" + mine}},
		"all synced refs":    {[]string{"refs/synced"}, []string{"refs/synced"}},
		"everything":         {[]string{"refs", "!refs/heads"}, []string{"refs/synced"}},
		"shown again":        {[]string{"refs", "!refs/synced"}, []string{"refs/synced", "!" + mine}},
		"this one":           {[]string{"^" + mine + "/"}, []string{"refs/synced"}},
		"a part of it":       {[]string{mine + "/wip"}, []string{"refs/synced", "!" + mine, mine + "/wip"}},
		"a similar name":     {[]string{mine + "x"}, []string{"refs/synced", "!" + mine}},
	} {
		if got := hideSynced(test.own, []string{mine}); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestOwnHiddenRefsStayHidden(t *testing.T) {
	w := newWorld(t, "--bare")
	git(t, w.server, "config", "transfer.hideRefs", "refs/synced")
	git(t, w.server, "config", "--add", "receive.hideRefs", "refs/secret")
	commit(t, w.client, "two", "two")
	for _, ref := range []string{"refs/synced/" + aliceUUID + "/x", "refs/secret/x"} {
		if out, status := w.push("origin", "main:"+ref); status == 0 {
			t.Errorf("%s: accepted\n%s", ref, out)
		}
		w.is(ref, "")
	}
	w.diverge()
	w.mustPush(toMain, "[new reference] main -> "+syncedRef) // the hook is no pusher
}

// While a hook hangs, git must send nothing by itself: whoever watches the push would take it for progress.
func TestCommandSendsNoKeepAlives(t *testing.T) {
	w := newWorld(t)
	repo, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	git(t, w.server, "config", "receive.keepAlive", "1")
	cmd, err := repo.Command(t.Context(), ReceivePack, 0, Sender{testJID, aliceUUID, testKey, "alice"}, Policy{}, HooksDir(w.data))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(cmd.Args, "receive.keepAlive=0") {
		t.Errorf("git runs with %q", cmd.Args)
	}
}

// Who fetches sees fallback refs of its own only, and what the owner hides stays hidden.
func TestFetchSeesOwnFallbackRefs(t *testing.T) {
	w := newWorld(t, "--bare")
	all := []string{"refs/synced/" + otherUUID + "/main", "refs/synced/" + otherUUID + ".1/main", space("", "main"), space(".9", "main"), space("", "wip/x"), "refs/secret/x"}
	for _, ref := range all {
		git(t, w.server, "update-ref", ref, "main")
	}
	git(t, w.server, "config", "uploadpack.hideRefs", "refs/secret")
	for name, test := range map[string]struct {
		uuid, hide string
		want       []string
	}{
		"nobody":                 {"", "refs/none", nil},
		"Alice":                  {aliceUUID, "refs/none", []string{space(".9", "main"), space("", "main"), space("", "wip/x")}},
		"the owner hides":        {aliceUUID, "refs/synced", nil},
		"the owner hides a part": {aliceUUID, space("", "wip"), []string{space(".9", "main"), space("", "main")}},
	} {
		for _, version := range []string{"0", "2"} {
			t.Run(name+" v"+version, func(t *testing.T) {
				git(t, w.server, "config", "transfer.hideRefs", test.hide)
				t.Setenv("TOY_UUID", test.uuid)
				t.Setenv("TOY_VERSION", version)
				var got []string
				for line := range strings.Lines(git(t, w.client, "-c", "protocol.version="+version, "ls-remote", "origin", "refs/synced/*", "refs/secret/*") + "\n") {
					if _, ref, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
						got = append(got, ref)
					}
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("seen are %v, want %v", got, test.want)
				}
			})
		}
	}
	git(t, w.server, "config", "--unset", "transfer.hideRefs")
	git(t, w.client, "fetch", "-q", "origin", space("", "main"))
	if out, status := try(t, w.client, "fetch", "-q", "origin", all[0]); status == 0 {
		t.Errorf("another's can be fetched:\n%s", out)
	}
}
