package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const (
	testVersion = "1.2.3+4.gabcdef"
	testEpoch   = "1767323412" // 2026-01-02
)

// TestDist makes packages twice, from copies of the source in two folders, as two people with other habits would, and looks into the first's.
// DIST_TARGETS says for which systems, and DIST_FRESH=1 has everything compiled twice.
func TestDist(t *testing.T) {
	targets := cmp.Or(os.Getenv("DIST_TARGETS"), "linux/amd64 windows/amd64")
	first := makeDist(t, targets, "022", "TZ=UTC")
	second := makeDist(t, targets, "077", "TZ=Asia/Tokyo", "GOFLAGS=-tags=other")
	list, err := parseTargets(targets)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("names", func(t *testing.T) { checkNames(t, first, list) })
	t.Run("same", func(t *testing.T) { checkSame(t, first, second) })
	t.Run("sums", func(t *testing.T) { checkSums(t, first) })
	here := target{runtime.GOOS, runtime.GOARCH}
	for _, target := range list {
		t.Run(target.String(), func(t *testing.T) {
			program := checkArchive(t, first, target)
			checkBOM(t, first, target, program)
			if target == here {
				checkVersion(t, program)
			}
			if target.os == "linux" {
				checkRPM(t, first, target, program)
			}
		})
	}
	if slices.Contains(list, target{"linux", "amd64"}) {
		t.Run("deb", func(t *testing.T) { checkDeb(t, first) })
	}
}

// makeDist has make build the packages from a copy of the source, and returns the folder that they are in.
func makeDist(t *testing.T, targets, umask string, env ...string) string {
	t.Helper()
	copied, out := copySource(t), t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "umask "+umask+"; exec make dist DISTDIR='"+out+"/dist' TARGETS='"+targets+"'")
	cmd.Dir = copied
	cmd.Env = append(os.Environ(), append(env, "VERSION="+testVersion, "SOURCE_DATE_EPOCH="+testEpoch, "MAKEFLAGS=")...)
	if os.Getenv("DIST_FRESH") == "1" {
		cmd.Env = append(cmd.Env, "GOCACHE="+t.TempDir())
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, said)
	}
	return filepath.Join(out, "dist")
}

// copySource copies the files that git knows, and those that it would take, as they are now.
func copySource(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	listed, err := git(t.Context(), "..", "ls-files", "-co", "--exclude-standard", "-z")
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.SplitSeq(strings.TrimRight(listed, "\x00"), "\x00") {
		from := filepath.Join("..", path)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) {
			continue // removed, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, path), content, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// namesFor are the files that there must be.
func namesFor(targets []target) []string {
	names := []string{"SHA256SUMS"}
	j := job{release: release{version: testVersion}}
	for _, t := range targets {
		suffix := ".tar.gz"
		if t.os == "windows" {
			suffix = ".zip"
		}
		names = append(names, j.base(t)+suffix, j.base(t)+".cdx.json")
		if t.os == "linux" {
			names = append(names, name+"_"+testVersion+"_"+t.arch+".deb", name+"-"+testVersion+"-1."+rpmArch[t.arch]+".rpm")
		}
	}
	if len(targets) == len(allTargets) {
		names = append(names, name+".rb")
	}
	return names
}

var rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

func checkNames(t *testing.T, dir string, targets []target) {
	var got []string
	for _, entry := range entries(t, dir) {
		got = append(got, entry.Name())
	}
	want := namesFor(targets)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func checkSame(t *testing.T, first, second string) {
	for _, entry := range entries(t, first) {
		if a, b := read(t, first, entry.Name()), read(t, second, entry.Name()); !bytes.Equal(a, b) {
			t.Errorf("%s: two builds differ, %d and %d bytes", entry.Name(), len(a), len(b))
		}
	}
	if a, b := entries(t, first), entries(t, second); len(a) != len(b) {
		t.Errorf("%d and %d files", len(a), len(b))
	}
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func checkSums(t *testing.T, dir string) {
	var want strings.Builder
	for _, entry := range entries(t, dir) {
		if entry.Name() != "SHA256SUMS" {
			fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256(read(t, dir, entry.Name())), entry.Name())
		}
	}
	if got := string(read(t, dir, "SHA256SUMS")); got != want.String() {
		t.Errorf("got\n%s\nwant\n%s", got, want.String())
	}
}

// checkVersion runs the program of an archive.
func checkVersion(t *testing.T, program []byte) {
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, program, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), file, "version").CombinedOutput()
	if got, want := string(out), name+" "+testVersion+"\n"; err != nil || got != want {
		t.Errorf("version: %q, %v, want %q", got, err, want)
	}
}

// checkDeb installs and uses a .deb on this machine, in a layer that goes away: that takes root.
func checkDeb(t *testing.T, dir string) {
	if why := noLayer(); why != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	deb, err := filepath.Abs(filepath.Join(dir, name+"_"+testVersion+"_amd64.deb"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "testdata/installed.sh", deb, testVersion, t.TempDir()).CombinedOutput()
	if said := string(out); err != nil || !strings.Contains(said, "checks passed\n") || !strings.HasSuffix(said, "removed\n") {
		t.Errorf("%v\n%s", err, said)
	}
}

// noLayer says what checkDeb lacks here.
func noLayer() string {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" || os.Getuid() != 0 {
		return "installing takes root on Linux, amd64"
	}
	for _, tool := range []string{"dpkg", "unshare", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err.Error()
		}
	}
	return ""
}
