package repo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

var (
	idA, idB = strings.Repeat("a", 40), strings.Repeat("b", 40)
	zero40   = strings.Repeat("0", 40)
)

// packets encodes packets; "" is a flush-pkt.
func packets(t testing.TB, lines ...string) string {
	t.Helper()
	var b bytes.Buffer
	if err := pktline.NewEncoder(&b).EncodeString(lines...); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRewriteAdvertisement(t *testing.T) {
	w := newWorld(t)
	one := git(t, w.client, "rev-parse", "main")
	commit(t, w.client, "two", "two")
	two := git(t, w.client, "rev-parse", "main")
	git(t, w.client, "branch", "old", one)
	side := git(t, w.client, "commit-tree", "-m", "side", "main^{tree}")
	t.Chdir(w.client)
	r, err := FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	caps := "\x00report-status-v2 atomic object-format=sha1"
	for name, test := range map[string]struct{ in, want []string }{
		"equal and behind": {
			[]string{two + " refs/heads/main" + caps + "\n", one + " refs/heads/old\n", ""},
			[]string{two + " refs/heads/main" + caps + "\n", one + " refs/heads/old\n", ""},
		},
		"behind": {[]string{one + " refs/heads/main" + caps, ""}, []string{one + " refs/heads/main" + caps, ""}},
		"ahead, unrelated, unknown, not here, not a branch": {
			[]string{
				two + " refs/heads/old" + caps + "\n", idA + " refs/heads/main\n", side + " refs/heads/elsewhere\n",
				two + " refs/heads/twice\n", idB + " refs/tags/v1\n", idB + " .have\n", "shallow " + idA + "\n", "",
			},
			[]string{
				zero40 + " refs/heads/old" + caps + "\n", zero40 + " refs/heads/main\n", zero40 + " refs/heads/elsewhere\n",
				zero40 + " refs/heads/twice\n", idB + " refs/tags/v1\n", idB + " .have\n",
				two + " .have\n", idA + " .have\n", side + " .have\n", "shallow " + idA + "\n", "",
			},
		},
		"version 1": {
			[]string{"version 1\n", side + " refs/heads/main" + caps + "\n", ""},
			[]string{"version 1\n", zero40 + " refs/heads/main" + caps + "\n", side + " .have\n", ""},
		},
		"empty repository": {[]string{zero40 + " capabilities^{}" + caps + "\n", ""}, []string{zero40 + " capabilities^{}" + caps + "\n", ""}},
		"refusal":          {[]string{"ERR access denied\n"}, []string{"ERR access denied\n"}},
		"late refusal":     {[]string{one + " refs/heads/main" + caps + "\n", "ERR disk full"}, []string{one + " refs/heads/main" + caps + "\n", "ERR disk full"}},
	} {
		t.Run(name, func(t *testing.T) {
			rest := "0001not one byte more"
			in := strings.NewReader(packets(t, test.in...) + rest)
			var out bytes.Buffer
			if err := r.RewriteAdvertisement(t.Context(), nil, "origin", in, &out); err != nil {
				t.Fatal(err)
			}
			if got, want := out.String(), packets(t, test.want...); got != want {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
			if left, _ := io.ReadAll(in); string(left) != rest {
				t.Errorf("left to read is %q", left)
			}
		})
	}
}

// Ten thousand branches cost three git processes, not one each.
func TestRewriteManyRefs(t *testing.T) {
	const n = 10_000
	w := newWorld(t)
	one := git(t, w.client, "rev-parse", "main")
	var local, in bytes.Buffer
	enc := pktline.NewEncoder(&in)
	for i := range n {
		id := one
		if i%2 == 0 {
			id = fmt.Sprintf("%040x", i+1) // not here
		}
		line := fmt.Sprintf("%s refs/heads/b%d\x00", id, i)
		if i > 0 {
			line = strings.TrimSuffix(line, "\x00")
		}
		if err := enc.EncodeString(line); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&local, "%s refs/heads/b%d\n", one, i)
	}
	_ = enc.Flush()
	writeFile(t, w.client+"/.git/packed-refs", "# pack-refs with: peeled fully-peeled\n"+local.String(), 0o644)
	trace := filepath.Join(t.TempDir(), "trace")
	t.Chdir(w.client)
	t.Setenv("GIT_TRACE", trace)
	r, err := FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, trace, "", 0o644)
	var out bytes.Buffer
	if err := r.RewriteAdvertisement(t.Context(), nil, "origin", &in, &out); err != nil {
		t.Fatal(err)
	}
	adv, err := readAdvertisement(&out)
	if err != nil || len(adv.branches()) != n/2 || len(adv.refs) != n+n/2 {
		t.Fatalf("%d branches in %d refs, error %v", len(adv.branches()), len(adv.refs), err)
	}
	if log := readFile(t, trace); strings.Count(log, "trace: built-in: git") > 3 {
		t.Errorf("git was run too often:\n%s", log)
	}
}

func TestReadAdvertisementRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"flush at once":        "0000",
		"not packets":          "hello world",
		"delimiter":            "0001",
		"short packet":         "0003",
		"no name":              packets(t, idA, ""),
		"short id":             packets(t, "abcd refs/heads/main", ""),
		"upper case id":        packets(t, strings.Repeat("A", 40)+" refs/heads/main", ""),
		"mixed formats":        packets(t, idA+" refs/heads/main\x00", strings.Repeat("b", 64)+" refs/heads/b", ""),
		"version 2":            packets(t, "version 2\n", "agent=git\n", ""),
		"version twice":        packets(t, "version 1\n", "version 1\n", ""),
		"ref behind shallow":   packets(t, idA+" refs/heads/main\x00", "shallow "+idA, idA+" refs/heads/b", ""),
		"capabilities twice":   packets(t, idA+" refs/heads/main\x00x", idA+" refs/heads/b\x00x", ""),
		"shallow first":        packets(t, "shallow "+idA, ""),
		"line break in a name": packets(t, idA+" refs/heads/main\x00", idA+" refs/heads/a\nb", ""),
	} {
		if _, err := readAdvertisement(strings.NewReader(in)); !errors.Is(err, ErrAdvertisement) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for name, in := range map[string]string{
		"nothing": "", "no flush": packets(t, idA+" refs/heads/main\x00"), "half a packet": "0040abc", "only a length": "0040",
	} {
		if _, err := readAdvertisement(strings.NewReader(in)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// endless is an advertisement that doesn't end.
type endless struct{ line, rest []byte }

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		e.rest = e.line
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func TestReadAdvertisementIsBounded(t *testing.T) {
	line := packets(t, idA+" refs/tags/"+strings.Repeat("x", 60_000))
	if _, err := readAdvertisement(&endless{line: []byte(line)}); !errors.Is(err, ErrAdvertisement) {
		t.Errorf("error %v", err)
	}
}

func FuzzReadAdvertisement(f *testing.F) {
	f.Add([]byte(packets(f, idA+" refs/heads/main\x00caps\n", idB+" refs/tags/v1\n", "shallow "+idA, "") + "rest"))
	f.Add([]byte(packets(f, "version 1\n", zero40+" capabilities^{}\x00caps", "")))
	f.Add([]byte(packets(f, "ERR no\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bytes.NewReader(data)
		adv, err := readAdvertisement(in)
		if err != nil {
			return
		}
		var plain, hidden bytes.Buffer
		if err := adv.write(&plain, nil); err != nil {
			t.Fatal(err)
		}
		if consumed := data[:len(data)-in.Len()]; !bytes.EqualFold(plain.Bytes(), consumed) {
			t.Fatalf("read %q, wrote %q", consumed, plain.Bytes())
		}
		all := make(map[string]bool)
		for name := range adv.branches() {
			all[name] = true
		}
		if err := adv.write(&hidden, all); err != nil {
			t.Fatal(err)
		}
		again, err := readAdvertisement(&hidden)
		if err != nil || len(again.branches()) != 0 || len(again.refs) < len(adv.refs) {
			t.Fatalf("rewritten: %+v, %v", again, err)
		}
	})
}
