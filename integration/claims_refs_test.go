package integration

import (
	"crypto/sha1"
	"fmt"
	"strings"
	"testing"

	"git-remote-xmpp/protocol"
)

const (
	mallorysUUID = "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0009"
	noID         = "0000000000000000000000000000000000000000"
)

// emptyPack is a pack of nothing: what is pushed is there already.
func emptyPack() string {
	pack := "PACK\x00\x00\x00\x02\x00\x00\x00\x00"
	return fmt.Sprintf("%s%s", pack, sha1.Sum([]byte(pack)))
}

// push has receive-pack change one ref, by a request of its own making, and returns what it says.
func (k *talk) push(client, from, to, ref string) (said string, ok bool) {
	k.Helper()
	stream, r := k.opened(&protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: client})
	line := from + " " + to + " " + ref + "\x00report-status"
	request := fmt.Sprintf("%04x%s0000", len(line)+4, line)
	if to != noID {
		request += emptyPack()
	}
	if err := protocol.Write(stream, protocol.Data(request)); err != nil {
		k.Fatal(err)
	}
	_ = stream.Close() // it may have been given up
	messages, data, err := k.rest(r)
	for _, m := range messages {
		if text, ok := m.(protocol.Stderr); ok {
			said += string(text)
		}
	}
	_, report, _ := strings.Cut(data, "unpack ")
	return fmt.Sprintf("%s%s%v", report, said, err), strings.Contains(report, "ok "+ref)
}

// A refChange is what nobody may do to Bob's refs.
type refChange struct{ name, from, to, ref string }

// forbidden are changes that no peer but Alice may make, whatever it may write to.
func (v *besieged) forbidden(main, alices string) []refChange {
	theirs := "refs/synced/" + v.alicesUUID
	return []refChange{
		{"overwrite", alices, main, theirs + "/main"},
		{"delete", alices, noID, theirs + "/main"},
		{"add", noID, main, theirs + "/new"},
		{"add to the second namespace", noID, main, theirs + ".1/main"},
		{"in the place of a namespace", noID, main, "refs/synced/00000000-0000-4000-8000-000000000000"},
		{"in the place of all", noID, main, "refs/synced"},
		{"upper case", noID, main, "refs/synced/" + strings.ToUpper(v.alicesUUID) + "/main"},
		{"deeper", noID, main, "refs/synced/x/" + theirs + "/main"},
		{"way up", noID, main, "refs/synced/" + mallorysUUID + "/../" + v.alicesUUID + "/main"},
		{"way up from a branch", noID, main, "refs/heads/mallory/../main"},
		{"way out", noID, main, "../../hooks/post-receive"},
		{"way out of refs", noID, main, "refs/../hooks/post-receive"},
		{"a file", noID, main, "config"},
		{"HEAD", main, alices, "HEAD"},
		{"hyphen", noID, main, "-x"},
		{"hyphen in refs", noID, main, "refs/-x"},
		{"option", noID, main, "--upload-pack=touch"},
		{"nul", alices, main, theirs + "/main\x00"}, // after it git has what the client can do

		{"newline", noID, main, "refs/heads/mallory/a\nb"},
		{"control", noID, main, "refs/heads/mallory/a\x1bb"},
		{"space", noID, main, "refs/heads/mallory/a b"},
		{"lock", noID, main, "refs/heads/mallory/a.lock"},
		{"pattern", noID, main, "refs/heads/mallory/*"},
		{"dots", noID, main, "refs/heads/mallory/.."},
		{"empty", noID, main, ""},
		{"too long", noID, main, "refs/heads/mallory/" + strings.Repeat("a", 5000)},
		{"not an id", noID, "refs/heads/main", "refs/heads/mallory/new"},
		{"an id that isn't there", noID, strings.Repeat("1", 40), "refs/heads/mallory/new"},
	}
}

// beyond are changes outside of refs/heads/mallory/*.
func beyond(main, alices string) []refChange {
	return []refChange{
		{"main", main, alices, "refs/heads/main"},
		{"main, claimed to be new", noID, alices, "refs/heads/main"},
		{"no more main", main, noID, "refs/heads/main"},
		{"new branch", noID, main, "refs/heads/new"},
		{"tag", noID, main, "refs/tags/v1"},
		{"case of a pattern", noID, main, "refs/heads/MALLORY/x"},
		{"the pattern's folder", noID, main, "refs/heads/mallory"},
		{"a branch by a symbolic ref", main, alices, "refs/heads/mallory/link"},
		{"a fallback ref by a symbolic ref", alices, main, "refs/heads/mallory/aside"},
		{"its own fallback ref of a branch that isn't its", noID, main, "refs/synced/" + mallorysUUID + "/main"},
		{"a record of one", noID, main, "refs/synced/" + mallorysUUID + "/" + mallorysUUID + "/main"},
	}
}

// A peer that asks git for what it may not have, by requests of its own making, gets nothing of it, in either push mode.
func TestHostileRefs(t *testing.T) {
	t.Parallel()
	v := newBesieged(t, func(v *besieged) {
		v.bob.git(v.served, "config", "receive.denyDeleteCurrent", "ignore")
		v.bob.git(v.served, "config", "receive.denyCurrentBranch", "ignore")
	})
	mallory := v.mallory("--refs", "refs/heads/mallory/*")
	v.bob.git(v.served, "symbolic-ref", "refs/heads/mallory/link", "refs/heads/main")
	v.bob.git(v.served, "symbolic-ref", "refs/heads/mallory/aside", "refs/synced/"+v.alicesUUID+"/main")
	for rights, refs := range map[string]string{"some": "refs/heads/mallory/*", "all": ""} {
		v.bob.xmpp(v.served, "peers", "set", mallory.key(), "--access", "write", "--refs", refs, ".")
		for _, mode := range []string{fallback, direct} {
			v.bob.git(v.served, "config", "xmpp.pushMode", mode)
			main, alices := v.bob.git(v.served, "rev-parse", "main"), v.bob.git(v.served, "rev-parse", "refs/synced/"+v.alicesUUID+"/main")
			changes := v.forbidden(main, alices)
			if refs != "" {
				changes = append(changes, beyond(main, alices)...)
			}
			v.remember()
			s := v.script(mallory, "git-0123456789abcdef")
			t.Run(mode+"/"+rights, func(t *testing.T) {
				k := s.in(t).greeted()
				for _, c := range changes {
					if said, ok := k.push(mallorysUUID, c.from, c.to, c.ref); ok {
						t.Errorf("%s: %s", c.name, said)
					}
				}
				k.fetches()
			})
			s.endpoint.Close()
			v.unharmed(mode + "-" + rights)
		}
	}
}

// A peer can't come as another's repository, in any spelling and for any service; nor with an invite that it has used for something else.
func TestHostileIdentity(t *testing.T) {
	t.Parallel()
	v := newBesieged(t, func(*besieged) {})
	invite := v.bob.xmpp(v.served, "invite")
	mallory := newHome(t, v.server, "Mallory", "carol")
	mallory.git(mallory.dir, "clone", "--quiet", invite, "clone")
	clone := mallory.dir + "/clone"
	v.remember()
	mallory.git(clone, "config", "xmpp.uuid", v.alicesUUID)
	mallory.commit(clone, "more")
	for _, args := range [][]string{{"push", "origin", "main:refs/heads/mine"}, {"fetch", "origin"}, {"push", "origin", ":refs/synced/" + v.alicesUUID + "/main"}} {
		fails128(t, mallory, clone, "the xmpp.uuid of your repository belongs to another key: it was copied", args...)
	}
	k := v.script(mallory, "git-0123456789abcdef").greeted()
	proj := v.bob.git(v.served, "config", "xmpp.uuid")
	for _, client := range []string{strings.ToUpper(v.alicesUUID), "{" + v.alicesUUID + "}", "urn:uuid:" + v.alicesUUID, strings.ReplaceAll(v.alicesUUID, "-", ""), v.alicesUUID + "\n", " " + v.alicesUUID} {
		k.nonsense(rawFrame(t, protocol.TypeOpen, &protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: client}))
	}
	for _, service := range []protocol.Service{protocol.UploadPack, protocol.ReceivePack, protocol.UploadArchive, protocol.LFSDownload, protocol.LFSUpload} {
		k.refused(&protocol.Open{Service: service, Repository: "proj", Client: v.alicesUUID}, protocol.CodeUUIDBound)
		k.refused(&protocol.Open{Service: service, Repository: "other", Client: mallorysUUID}, protocol.CodeNoRepository)
		if service.Writes() {
			k.refused(&protocol.Open{Service: service, Repository: "proj", Client: proj}, protocol.CodeUUIDBound)
		}
	}
	for _, m := range []protocol.Message{
		&protocol.CanPush{From: v.alicesUUID, To: proj, Tips: [][]byte{make([]byte, 20)}, Refs: []string{"refs/heads/main"}},
		&protocol.PushRequest{From: v.alicesUUID, To: proj},
	} {
		if err := protocol.Write(k.control, m); err != nil {
			t.Fatal(err)
		}
		if answer, err := k.replies.Next(); err != nil || answer.Type() != protocol.TypeNothingNeeded {
			t.Errorf("%+v is answered with %+v, %v", m, answer, err)
		}
	}

	// The invite again: it opens nothing else, and gives nothing back that was taken away.
	again := strings.Replace(invite, "/proj?", "/other?", 1)
	fails128(t, mallory, mallory.dir, "no such repository", "clone", again, "other")
	v.bob.xmpp(v.served, "peers", "set", mallory.key(), "--access", "none", ".")
	for _, url := range []string{invite, again} {
		fails128(t, mallory, mallory.dir, "no such repository", "clone", url, "again")
	}
	v.unharmed("identity")
}

// fails128 fails the test unless git fails, and says so.
func fails128(t *testing.T, h *home, dir, say string, args ...string) {
	t.Helper()
	r := h.try(dir, "git", args...)
	if r.status != 128 {
		t.Errorf("git %q: %v", args, r)
	}
	mustSay(t, r.stderr, say)
}

// refused asks for a service, and fails the test unless that is refused with a code.
func (k *talk) refused(open *protocol.Open, code protocol.Code) {
	k.Helper()
	stream, r := k.stream()
	if err := protocol.Write(stream, open); err != nil {
		k.Fatal(err)
	}
	_ = stream.Close() // it may have been given up
	said, _, err := k.rest(r)
	if refusal, ok := append(said, protocol.Data(nil))[0].(*protocol.Refuse); !ok || refusal.Code != code || err != nil {
		k.Errorf("%+v: %+v, %v; want %v", open, said, err, code)
	}
}
