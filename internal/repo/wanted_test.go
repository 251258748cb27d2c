package repo

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWanted(t *testing.T) {
	for name, args := range map[string][]string{"sha1": {"--bare"}, "sha256": {"--bare", "--object-format=sha256"}} {
		t.Run(name, func(t *testing.T) { testWanted(t, newWorld(t, args...)) })
	}
}

func testWanted(t *testing.T, w *world) {
	r := w.open()
	self, err := r.UUID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := w.history("two main", "three two", "beside main", "fetched main", "recorded main", "elsewhere main", "loose main", "branch main")
	id["unknown"] = strings.Repeat("a", len(id["main"]))
	id["zero"] = zeroLike(id["main"])
	id["other format"] = strings.Repeat("a", 104-len(id["main"]))
	const other = "refs/synced/" + otherUUID
	for ref, commit := range map[string]string{
		"refs/heads/two":                    "two",
		"refs/heads/beside":                 "beside",
		"refs/heads/forward":                "main",
		"refs/heads/dir/x":                  "main",
		"refs/tags/v1":                      "main",
		"refs/tags/dir/v1":                  "main",
		"refs/notes/elsewhere":              "elsewhere",
		"refs/remotes/origin/x":             "fetched",
		other + "/" + aliceUUID + "/main":   "recorded",
		other + ".1/" + aliceUUID + "/main": "recorded",
		space("", "fellback"):               "two",
		space(".2", "beside"):               "two",
		other + "/held":                     "two",
		space(".1", "waits"):                "three",
		"refs/heads/waits":                  "two",
	} {
		git(t, w.server, "update-ref", ref, id[commit])
	}
	for offer, want := range map[string]bool{
		"refs/heads/main main":         false, // equal
		"refs/heads/two main":          false, // behind ours
		"refs/heads/main two":          true,  // ours goes forward, to what another branch has
		"refs/heads/forward two":       true,
		"refs/heads/beside two":        false, // diverged, and the client's fallback ref has it
		"refs/heads/beside elsewhere":  false, // diverged, and reached by another ref
		"refs/heads/beside main":       false,
		"refs/heads/main unknown":      true,
		"refs/heads/main loose":        true, // there, and nothing reaches it
		"refs/heads/beside fetched":    true, // remote-tracking refs don't count
		"refs/heads/beside recorded":   true, // nor do records
		"refs/heads/new two":           true,
		"refs/heads/fellback two":      false,
		"refs/heads/fellback three":    true,
		"refs/heads/held two":          true, // by another client
		"refs/heads/waits three":       false,
		"refs/heads/main zero":         false,
		"refs/heads/main other format": false,
		"refs/heads/a..b unknown":      false,
		"refs/heads/* unknown":         false,
		"refs/notes/x unknown":         false,
		"refs/heads unknown":           false,
		"HEAD unknown":                 false,

		"refs/tags/v1 unknown":     false, // tags don't move
		"refs/tags/v2 unknown":     true,
		"refs/tags/v2 main":        true,
		"refs/tags/dir unknown":    false, // it can't be beside dir/v1
		"refs/tags/v1/rc1 unknown": false,

		other + "/main unknown":                                   true,
		other + "/main loose":                                     true,
		other + ".3/main unknown":                                 true,
		other + "/main two":                                       false,
		other + "/main recorded":                                  false,
		other + "/main elsewhere":                                 false,
		"refs/synced/" + self + "/main unknown":                   false, // our own
		other + "/" + self + "/main unknown":                      false,
		"refs/synced/" + self + "/" + otherUUID + "/main unknown": true, // relayed by us, and gone since
		"refs/synced/odd/main unknown":                            false,
	} {
		ref, commit, _ := strings.Cut(offer, " ")
		tip := Tip{ref, id[commit]}
		got, err := r.Wanted(t.Context(), aliceUUID, nil, []Tip{tip})
		if err != nil || len(got) > 1 || (len(got) == 1) != want || want && got[0] != tip {
			t.Errorf("%s: wanted %v, want %v, error %v", offer, got, want, err)
		}
	}
	git(t, w.server, "config", "receive.hideRefs", "refs/heads/hidden")
	git(t, w.server, "config", "--add", "receive.hideRefs", "refs/synced/"+aliceUUID+"/"+otherUUID+"/hidden")
	tips := []Tip{{"refs/heads/hidden", id["unknown"]}, {"refs/heads/hidden2", id["unknown"]}, {other + "/hidden", id["unknown"]}, {other + "/main", id["unknown"]}}
	if got, err := r.Wanted(t.Context(), aliceUUID, nil, tips); err != nil || !slices.Equal(got, []Tip{tips[1], tips[3]}) {
		t.Errorf("of hidden ones %v are wanted, error %v", got, err)
	}
	if got, err := r.Wanted(t.Context(), aliceUUID, nil, nil); err != nil || len(got) > 0 {
		t.Errorf("of nothing %v is wanted, error %v", got, err)
	}
}

// A history that isn't here in whole doesn't hide what else is offered.
func TestWantedBrokenHistory(t *testing.T) {
	w := newWorld(t, "--bare")
	id := w.history("gone main", "broken gone", "fine main")
	git(t, w.server, "update-ref", "refs/heads/other", id["fine"])
	removeObject(t, w.server, id["gone"])
	r := w.open()
	for _, test := range []struct {
		offer []Tip
		want  []string
	}{
		{[]Tip{{"refs/heads/x", id["broken"]}, {"refs/heads/other", id["fine"]}}, []string{"refs/heads/x"}},
		{[]Tip{{"refs/heads/other", id["main"]}, {"refs/heads/main", id["fine"]}}, []string{"refs/heads/main"}},
	} {
		if got, err := r.Wanted(t.Context(), aliceUUID, nil, test.offer); err != nil || !slices.Equal(refsOf(got), test.want) {
			t.Errorf("wanted %v, error %v", got, err)
		}
	}
}

// For many tips as for one there are few processes.
func TestWantedIsCheap(t *testing.T) {
	w := newWorld(t, "--bare")
	id := w.history("two main", "three two")
	r := w.open()
	trace := filepath.Join(t.TempDir(), "trace")
	r.env = append(r.env, "GIT_TRACE="+trace)
	var refs strings.Builder
	var same, behind, unknown, records []Tip
	for i := range 256 {
		ref := fmt.Sprintf("refs/heads/b%03d", i)
		fmt.Fprintf(&refs, "%s %s\n", id["two"], ref)
		same = append(same, Tip{ref, id["two"]})
		behind = append(behind, Tip{ref, id["main"]})
		unknown = append(unknown, Tip{ref, fmt.Sprintf("%040x", i+1)})
		records = append(records, Tip{fmt.Sprintf("refs/synced/%s/b%03d", otherUUID, i), fmt.Sprintf("%040x", i+1)})
	}
	writeFile(t, w.server+"/packed-refs", refs.String(), 0o644)
	for name, test := range map[string]struct {
		offer         []Tip
		want, process int
	}{
		"the same": {same, 0, 3},
		"behind":   {behind, 0, 6},
		"unknown":  {unknown, 256, 4},
		"records":  {records, 256, 5},
		"ahead":    {[]Tip{{"refs/heads/b001", id["three"]}}, 1, 5},
	} {
		writeFile(t, trace, "", 0o644)
		got, err := r.Wanted(t.Context(), aliceUUID, nil, test.offer)
		if err != nil || len(got) != test.want {
			t.Errorf("%s: %d wanted, error %v", name, len(got), err)
		}
		if n := strings.Count(readFile(t, trace), "trace: built-in: git"); n > test.process {
			t.Errorf("%s: %d processes:\n%s", name, n, readFile(t, trace))
		}
	}
}
