package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRelease walks through the life of a repository: commits, a tag, and what isn't committed.
func TestRelease(t *testing.T) {
	dir := t.TempDir()
	for _, key := range []string{"VERSION", "SOURCE_DATE_EPOCH"} {
		t.Setenv(key, "")
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_COMMITTER_DATE", "2026-01-02T03:10:12Z")
	do := func(args ...string) string {
		t.Helper()
		out, err := git(t.Context(), dir, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	commit := func() string {
		do("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty", "-m", "x")
		return "g" + do("rev-parse", "--short=12", "HEAD")
	}
	check := func(want string) {
		t.Helper()
		r, err := findRelease(t.Context(), dir)
		if err != nil || r.version != want || r.date.Unix() != 1767323412 {
			t.Errorf("%q of %v, %v, want %q", r.version, r.date, err, want)
		}
	}
	do("init", "-q")
	if r, err := findRelease(t.Context(), dir); err == nil {
		t.Errorf("no commit: %+v", r)
	}
	check("0.0.0+1." + commit())
	check("0.0.0+2." + commit())
	do("tag", "v1.2.3")
	do("tag", "other")
	check("1.2.3")
	id := commit()
	check("1.2.3+1." + id)
	if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	check("1.2.3+1." + id + ".dirty")
	t.Setenv("VERSION", "4.5.6")
	check("4.5.6")
	t.Setenv("VERSION", "4.5.6; rm")
	if r, err := findRelease(t.Context(), dir); err == nil {
		t.Errorf("a bad version was taken: %+v", r)
	}
}

// TestFormula checks that each archive is named with its own sum, once, and that there is no formula with one missing.
func TestFormula(t *testing.T) {
	j := job{out: t.TempDir(), releases: "https://example.org/files", release: release{version: testVersion}}
	var lines []string
	for _, target := range brewed {
		if err := j.formula(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(j.out, name+".rb")); err == nil {
			t.Fatal("a formula without all archives")
		}
		archive := j.base(target) + ".tar.gz"
		if err := os.WriteFile(filepath.Join(j.out, archive), []byte(target.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		sum, err := sumOf(filepath.Join(j.out, archive))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, "      url \"https://example.org/files/"+archive+"\"\n      sha256 \""+sum+"\"\n")
	}
	if err := j.formula(); err != nil {
		t.Fatal(err)
	}
	text := string(read(t, j.out, name+".rb"))
	for _, line := range append(lines, "  version \""+testVersion+"\"\n") {
		if strings.Count(text, line) != 1 {
			t.Errorf("%q isn't there once in\n%s", line, text)
		}
	}
}
