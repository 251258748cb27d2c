package repo

import (
	"crypto/rand"
	"path/filepath"
	"testing"
)

const blobBytes = 300_000

// commitNoise adds a commit with a file that can't be compressed, and returns its id.
func commitNoise(t *testing.T, dir, file string) string {
	t.Helper()
	data := make([]byte, blobBytes)
	_, _ = rand.Read(data) // never fails
	commit(t, dir, file, string(data))
	return git(t, dir, "rev-parse", "HEAD")
}

// What a push sends is what is new: not what the other side has, and only what is pushed.
func TestPushSize(t *testing.T) {
	w := newWorld(t)
	w.needsGit(2, 31)
	one := git(t, w.client, "rev-parse", "main")
	two := commitNoise(t, w.client, "two")
	three := commitNoise(t, w.client, "three")
	t.Chdir(w.client)
	r, err := FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	caps := "\x00report-status side-band-64k"
	for name, test := range map[string]struct {
		theirs, ours []string
		blobs        int64
	}{
		"two commits":       {[]string{one + " refs/heads/main" + caps, ""}, []string{one + " " + three + " refs/heads/main" + caps, ""}, 2},
		"one of them":       {[]string{one + " refs/heads/main" + caps, ""}, []string{one + " " + two + " refs/heads/main" + caps, ""}, 1},
		"one is there":      {[]string{one + " refs/heads/main" + caps, two + " .have", ""}, []string{zero40 + " " + three + " refs/heads/new" + caps, ""}, 1},
		"all is there":      {[]string{three + " refs/heads/main" + caps, ""}, []string{zero40 + " " + two + " refs/heads/new" + caps, ""}, 0},
		"theirs isn't here": {[]string{idA + " refs/heads/main" + caps, ""}, []string{idA + " " + three + " refs/heads/main" + caps, ""}, 2},
		"an empty one":      {[]string{zero40 + " capabilities^{}" + caps, ""}, []string{zero40 + " " + three + " refs/heads/main" + caps, ""}, 2},
		"shallow":           {[]string{one + " refs/heads/main" + caps, ""}, []string{"shallow " + one, one + " " + three + " refs/heads/main" + caps, ""}, 2},
		"two refs":          {[]string{one + " refs/heads/main" + caps, ""}, []string{one + " " + two + " refs/heads/main" + caps, zero40 + " " + three + " refs/heads/b", ""}, 2},
		"a deletion":        {[]string{one + " refs/heads/main" + caps, ""}, []string{one + " " + zero40 + " refs/heads/main" + caps, ""}, 0},
	} {
		got, err := r.PushSize(t.Context(), []byte(packets(t, test.theirs...)), []byte(packets(t, test.ours...)+"PACK"))
		if err != nil || got < test.blobs*blobBytes || got > test.blobs*blobBytes+blobBytes/10 {
			t.Errorf("%s: %d bytes, %v", name, got, err)
		}
	}
	for name, commands := range map[string]string{"none": "", "nonsense": packets(t, "x", ""), "no id": packets(t, one+" x refs/heads/main", "")} {
		if got, err := r.PushSize(t.Context(), []byte(packets(t, one+" refs/heads/main"+caps, "")), []byte(commands)); got != 0 || (err == nil) != (name == "none") {
			t.Errorf("%s: %d bytes, %v", name, got, err)
		}
	}
}

// A repository is as large as its objects, loose or packed.
func TestSize(t *testing.T) {
	w := newWorld(t)
	commitNoise(t, w.server, "noise")
	r, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"loose", "packed"} {
		if got := r.Size(); got < blobBytes || got > blobBytes+blobBytes/10 {
			t.Errorf("%s: %d bytes", state, got)
		}
		git(t, w.server, "repack", "-adq")
	}
}

// Only a repository without refs is empty.
func TestEmpty(t *testing.T) {
	w := newWorld(t)
	git(t, filepath.Dir(w.server), "init", "-q", "empty")
	for dir, want := range map[string]bool{w.server: false, filepath.Join(filepath.Dir(w.server), "empty"): true} {
		r, err := Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Empty(t.Context()); got != want || err != nil {
			t.Errorf("%s: %v, %v", dir, got, err)
		}
	}
}

// What a fetch wants only a part of isn't as large as the repository.
func TestWants(t *testing.T) {
	for said, want := range map[string][2]bool{
		"0011command=fetch0001000fno-progress0032want 11\n0009done\n0000": {true, false},
		"0014command=ls-refs\n0000":                                       {false, false},
		"0011command=fetch0001000cdeepen 10032want 11\n":                  {true, true},
		"0014filter blob:none0000":                                        {false, true},
		"0032want 11\n0032have 22\n":                                      {true, true},
		"0098want 11 multi_ack deepen-since deepen-not filter agent=git":  {true, false},
	} {
		if something, part := Wants([]byte(said)); something != want[0] || part != want[1] {
			t.Errorf("%q: %v, %v", said, something, part)
		}
	}
}
