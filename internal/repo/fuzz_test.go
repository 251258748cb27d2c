package repo

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"

	"git-remote-xmpp/internal/refname"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// What is taken for a fallback ref is one, is told apart from every other pusher's, and is made of its parts again.
func FuzzFallbackRef(f *testing.F) {
	for _, ref := range []string{
		syncedRef, "refs/synced/" + aliceUUID + ".1/feature/x", "refs/synced/" + aliceUUID + "/" + otherUUID + "/main", "refs/synced/" + aliceUUID + "/" + otherUUID, "refs/synced/" + strings.ToUpper(otherUUID) + "/x",
		"refs/synced/{" + aliceUUID + "}/main", "refs/synced/" + aliceUUID + ".99/main", "refs/synced/" + aliceUUID + "/../" + otherUUID + "/main", "refs/heads/main", "refs/synced//main",
	} {
		f.Add(ref)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		got, ok := parseFallback(ref, idA)
		if !ok {
			return
		}
		if !refname.Valid(ref) || !isUUID(got.Client) || got.Origin != "" && !isUUID(got.Origin) || got.Branch == "" || got.Ref != ref || got.ID != idA {
			t.Fatalf("%q: %+v", ref, got)
		}
		name := got.Branch
		if got.Origin != "" {
			name = got.Origin + "/" + name
		}
		owned := slices.ContainsFunc(Sender{UUID: got.Client}.namespaces(), func(space string) bool { return ref == space+"/"+name })
		if other := (Sender{UUID: otherUUID}).namespaces(); !owned || got.Client != otherUUID && slices.ContainsFunc(other, func(space string) bool { return strings.HasPrefix(ref, space+"/") }) {
			t.Fatalf("%q: whose is %+v", ref, got)
		}
	})
}

// A section of packets is read up to its end and its limit, and as it was written.
func FuzzSection(f *testing.F) {
	f.Add([]byte("0009abcd\n0004000ahello\n0000rest"), 4)
	f.Add([]byte("0001"), 1)
	f.Add([]byte("fffg"), 0)
	f.Add([]byte("0005a0005b0000"), 1)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		limit = max(0, limit%64)
		lines, err := readSection(pktline.NewScanner(bytes.NewReader(in)), limit)
		if len(lines) > limit {
			t.Fatalf("%d packets, over %d", len(lines), limit)
		}
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := writeSection(&out, lines); err != nil {
			t.Fatalf("%q: %v", lines, err)
		}
		again, err := readSection(pktline.NewScanner(&out), limit)
		if err != nil || !slices.Equal(lines, again) {
			t.Fatalf("%q, again %q, %v", lines, again, err)
		}
	})
}

// What receive-pack hands to the hook is understood as it is, or refused.
func FuzzRequest(f *testing.F) {
	f.Add("version=1\x00atomic push-options", idA+" "+idB+" refs/heads/main", "an option")
	f.Add("version=1", idA+" "+zero40+" refs/heads/a b", "")
	f.Add("version=2\x00", zero40+" x refs/heads/main", "\n")
	f.Fuzz(func(t *testing.T, hello, line, option string) {
		if max(len(hello), len(line), len(option)) > pktline.MaxPayloadSize {
			return
		}
		var in, answer bytes.Buffer
		for _, section := range [][]string{{hello}, {line}, {option}} {
			if err := writeSection(&in, section); err != nil {
				t.Fatal(err)
			}
		}
		req, err := readRequest(pktline.NewScanner(&in), &answer)
		if err != nil {
			if !errors.Is(err, errProcReceive) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			return
		}
		if len(req.commands) != 1 {
			t.Fatalf("%+v", req)
		}
		c := req.commands[0]
		if !isObjectID(c.old) || !isObjectID(c.new) || len(c.old) != len(c.new) || c.old+" "+c.new+" "+c.ref != strings.TrimSuffix(line, "\n") {
			t.Fatalf("%q is %+v", line, c)
		}
		if slices.Contains(req.features, pushOptions) && !slices.Equal(req.options, []string{option}) {
			t.Fatalf("%q is %q", option, req.options)
		}
	})
}

// Whatever the repository's own hook reports, each command has one report, of itself, and nothing that wasn't asked for has one.
func FuzzOwnReport(f *testing.F) {
	f.Add("ok refs/heads/main\noption refname refs/heads/x\noption fall-through\nng refs/heads/b no")
	f.Add("option x\nok\nbad refs/heads/main\nok refs/heads/c\nng refs/heads/b\nok refs/heads/b")
	f.Fuzz(func(t *testing.T, text string) {
		commands := []command{{idA, idB, "refs/heads/main"}, {zero40, idB, "refs/heads/b"}}
		reports, complaints := parseOwnReport(strings.Split(text, "\n"), commands)
		if len(reports) != len(commands) || len(complaints) > strings.Count(text, "\n")+1 {
			t.Fatalf("%q: %+v, %q", text, reports, complaints)
		}
		for _, c := range commands {
			r, ok := reports[c.ref]
			if !ok || r.ref != c.ref {
				t.Fatalf("%q: %+v", text, reports)
			}
			if named := strings.Contains("\n"+text, "\nok "+c.ref) || strings.Contains("\n"+text, "\nng "+c.ref); !named && (r.reason == "" || r.fallThrough) {
				t.Fatalf("%q: %s is done", text, c.ref)
			}
			if lines := r.lines(c); !strings.HasPrefix(lines[0], "ok "+c.ref) && !strings.HasPrefix(lines[0], "ng "+c.ref) {
				t.Fatalf("%q: %q", text, lines)
			}
		}
	})
}

// Whatever is in the environment, git on the serving side sees nothing of this program's, of git's or of a language, and a hook nothing of what Command added.
func FuzzEnviron(f *testing.F) {
	f.Add("GIT_XMPP_PASSWORD", "secret")
	f.Add("git_dir", "x")
	f.Add("GIT_CONFIG_KEY_0", "core.hooksPath")
	f.Add("", "=C:=C:\\")
	f.Fuzz(func(t *testing.T, name, value string) {
		if strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return
		}
		t.Setenv("LANGUAGE", "de")
		environ := []string{name + "=" + value, "HOME=/x"}
		upper := strings.ToUpper(name)
		seen := slices.Contains(hookEnviron(environ), environ[0])
		if hidden := slices.Contains([]string{envHooks, envIntegrate, envRefs, envLifeline}, upper) || strings.HasPrefix(upper, "GIT_CONFIG_KEY_"); seen && hidden {
			t.Fatalf("hooks see %s", name)
		}
		if !slices.Contains(hookEnviron(environ), "HOME=/x") {
			t.Fatal("HOME is gone")
		}
		for _, kv := range Environ() {
			if strings.HasPrefix(strings.ToUpper(kv), "GIT_") || strings.HasPrefix(kv, "LANGUAGE=") {
				t.Fatalf("git sees %s", kv)
			}
		}
	})
}

// What git and hooks say comes as lines that are not too long, and what is shown of one has no control characters.
func FuzzLines(f *testing.F) {
	f.Add("one\ntwo\r\nRemote: \x1b[2J\rthree", 3)
	f.Add(strings.Repeat("x", 2*maxLineBytes)+"\n", 100)
	f.Fuzz(func(t *testing.T, text string, at int) {
		var got []string
		l := &lines{each: func(line string) { got = append(got, line) }}
		at = max(0, min(at, len(text)))
		for _, part := range []string{text[:at], text[at:]} {
			if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		l.end()
		for i, want := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			if want = want[:min(len(want), maxLineBytes)]; text != "" && text != "\n" && (i >= len(got) || got[i] != want) {
				t.Fatalf("line %d of %q", i, text)
			}
			if shown := plain(want); strings.ContainsFunc(shown, unicode.IsControl) || len(shown) > len(want)*3 {
				t.Fatalf("%q is shown as %q", want, shown)
			}
		}
	})
}

// A line of git push --porcelain is read as it is, or not at all.
func FuzzPushed(f *testing.F) {
	f.Add("!\trefs/heads/a:refs/heads/b\t[rejected] (fetch first)")
	f.Add(" \trefs/heads/a:refs/heads/b\t1..2")
	f.Add("To xmpp::bob@example.org\t:\t")
	f.Fuzz(func(t *testing.T, line string) {
		from, to, rejected, ok := parsePushed(line)
		if ok && (!strings.Contains(line, "\t"+from+":"+to+"\t") || rejected != "" && line[0] != '!' || strings.ContainsFunc(rejected, unicode.IsControl)) {
			t.Fatalf("%q: %q, %q, %q", line, from, to, rejected)
		}
	})
}
