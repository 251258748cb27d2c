package statefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const remedy = "remove it"

var errNegative = errors.New("a negative number")

// content is what the files of these tests are about.
type content struct {
	Numbers []int `json:"numbers"`
}

func (c *content) Check() error {
	for _, n := range c.Numbers {
		if n < 0 {
			return errNegative
		}
	}
	return nil
}

// testDocument returns a document in a folder that isn't there yet.
func testDocument(t *testing.T) *Document[content] {
	t.Helper()
	return open(filepath.Join(t.TempDir(), "data", "numbers.json"))
}

func open(path string) *Document[content] { return &Document[content]{Path: path, Remedy: remedy} }

// add writes one more number, as all changes are made.
func add(t *testing.T, d *Document[content], n int) error {
	t.Helper()
	return Lock(t.Context(), filepath.Dir(d.Path), func() error {
		return d.Update(func(c *content) error {
			c.Numbers = append(c.Numbers, n)
			return nil
		})
	})
}

// want checks what a document has.
func want(t *testing.T, d *Document[content], numbers ...int) {
	t.Helper()
	if c, err := d.Read(); err != nil || fmt.Sprint(c.Numbers) != fmt.Sprint(numbers) {
		t.Errorf("got %v, %v, want %v", c, err, numbers)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), mode))
	must(t, os.Chmod(path, mode))
}

func TestMissingFileIsZero(t *testing.T) {
	d := testDocument(t)
	want(t, d)
	if _, err := os.Stat(filepath.Dir(d.Path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made the folder: %v", err)
	}
}

func TestFormat(t *testing.T) {
	d := testDocument(t)
	must(t, add(t, d, 7))
	text, err := os.ReadFile(d.Path)
	if want := "{\n \"version\": 1,\n \"content\": {\n  \"numbers\": [\n   7\n  ]\n }\n}\n"; err != nil || string(text) != want {
		t.Errorf("%q, %v, want %q", text, err, want)
	}
	info, err := os.Stat(d.Path)
	if err != nil || modeCounts && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	want(t, open(d.Path), 7)
}

func TestReadingFromMemory(t *testing.T) {
	d := testDocument(t)
	must(t, add(t, d, 1))
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(d.Path, old, old))
	before, err := d.Read()
	must(t, err)
	if again, err := d.Read(); err != nil || again != before {
		t.Errorf("an unchanged file was read again: %v", err)
	}
	must(t, add(t, open(d.Path), 2))
	want(t, d, 1, 2)
	must(t, os.Remove(d.Path))
	want(t, d)
}

func TestTwoReadersSeeEachOther(t *testing.T) {
	one := testDocument(t)
	two := open(one.Path)
	from, to := one, two
	// Same size, same time slice, perhaps the same inode again: the hard case.
	for i := range 50 {
		must(t, Lock(t.Context(), filepath.Dir(one.Path), func() error {
			return from.Update(func(c *content) error {
				c.Numbers = []int{i % 10}
				return nil
			})
		}))
		want(t, to, i%10)
		from, to = to, from
	}
}

func TestDamagedFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"empty":      {"", ErrCorrupt},
		"cut off":    {`{"version":1,"content":{"numbers":[`, ErrCorrupt},
		"trailing":   {`{"version":1,"content":{"numbers":[1]}}x`, ErrCorrupt},
		"no version": {`{}`, ErrCorrupt},
		"no content": {`{"version":1}`, ErrCorrupt},
		"other type": {`{"version":1,"content":[]}`, ErrCorrupt},
		"check":      {`{"version":1,"content":{"numbers":[-1]}}`, errNegative},
		"newer":      {`{"version":2,"content":"whatever"}`, ErrNewer},
		"large":      {strings.Repeat(" ", MaxBytes+1), ErrTooLarge},
		"fine":       {`{"version":1,"content":{"numbers":[1]}}`, nil},
	} {
		d := testDocument(t)
		write(t, d.Path, tt.text, 0o600)
		if _, err := d.Read(); !errors.Is(err, tt.want) || err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if tt.want == nil {
			continue
		}
		if err := add(t, d, 2); !errors.Is(err, tt.want) {
			t.Errorf("%s: Update: %v", name, err)
		}
		if got, err := os.ReadFile(d.Path); err != nil || string(got) != tt.text {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

func TestDamageInWords(t *testing.T) {
	d := testDocument(t)
	for text, want := range map[string]string{
		`{"version":7,"content":[]}`:               d.Path + ": written by a newer git-remote-xmpp (format 7, this one knows 1): update git-remote-xmpp",
		`{"version":1,"content":{"numbers":[-1]}}`: d.Path + " is damaged: a negative number; remove it",
	} {
		write(t, d.Path, text, 0o600)
		if _, err := d.Read(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A program reads what is older than its format, writes its own, and leaves alone what is newer.
func TestVersions(t *testing.T) {
	d := testDocument(t)
	must(t, add(t, d, 1))
	newer := &Document[content]{Path: d.Path, Version: 3}
	want(t, newer, 1)
	must(t, add(t, newer, 2))
	want(t, newer, 1, 2)
	for _, version := range []int{0, 1, 2} {
		if _, err := (&Document[content]{Path: d.Path, Version: version}).Read(); !errors.Is(err, ErrNewer) {
			t.Errorf("read by one that knows %d: %v", version, err)
		}
	}
}

func TestUnchanged(t *testing.T) {
	d := testDocument(t)
	must(t, add(t, d, 1))
	before, err := os.Stat(d.Path)
	must(t, err)
	for _, refusal := range []error{ErrUnchanged, errNegative} {
		err := d.Update(func(c *content) error {
			c.Numbers[0] = 2
			return refusal
		})
		if wantErr := map[error]error{errNegative: errNegative}[refusal]; !errors.Is(err, wantErr) {
			t.Errorf("%v: %v", refusal, err)
		}
		want(t, d, 1)
	}
	if after, err := os.Stat(d.Path); err != nil || !sameFile(before, after) {
		t.Errorf("the file was written: %v", err)
	}
}

func TestManyWritersLoseNothing(t *testing.T) {
	d := testDocument(t)
	const writers = 12
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			if err := add(t, open(d.Path), 1); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if c, err := d.Read(); err != nil || len(c.Numbers) != writers {
		t.Errorf("%v, %v", c, err)
	}
}
