package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/sassoftware/go-rpmutils"
	"github.com/sassoftware/go-rpmutils/cpio"
)

// A packed is a file as an archive has it.
type packed struct {
	mode    fs.FileMode
	link    string
	content []byte
}

// checkArchive checks what an archive has, by reading it, and returns the program.
func checkArchive(t *testing.T, dir string, target target) []byte {
	t.Helper()
	j := job{release: release{version: testVersion}}
	archive := filepath.Join(dir, j.base(target))
	var all map[string]packed
	if target.os == "windows" {
		all = readZip(t, archive+".zip")
	} else {
		all = readTar(t, archive+".tar.gz")
		if link := all[j.base(target)+"/git-xmpp"]; link.link != name || link.mode&fs.ModeSymlink == 0 {
			t.Errorf("git-xmpp: %v -> %q", link.mode, link.link)
		}
	}
	program := all[j.base(target)+"/"+target.program()]
	other, manual := all[j.base(target)+"/git-xmpp.exe"], all[j.base(target)+"/share/man/man1/"+name+".1"]
	if target.os == "windows" && !bytes.Equal(other.content, program.content) || target.os != "windows" && !bytes.Contains(manual.content, []byte(".TH ")) {
		t.Errorf("git-xmpp.exe has %d bytes, the manual %d", len(other.content), len(manual.content))
	}
	if program.mode != 0o755 || len(program.content) < 1<<20 {
		t.Errorf("program: mode %v, %d bytes", program.mode, len(program.content))
	}
	for _, path := range []string{"README.md", "LICENSE", "CHANGELOG.md", "doc/security.md", "protocol/SPEC.md"} {
		f, source := all[j.base(target)+"/"+path], read(t, "..", path)
		if f.mode != 0o644 || !bytes.Equal(f.content, source) {
			t.Errorf("%s: mode %v, %d bytes, want %d", path, f.mode, len(f.content), len(source))
		}
	}
	return program.content
}

func date(t *testing.T) time.Time {
	t.Helper()
	seconds, err := strconv.ParseInt(testEpoch, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}

func readTar(t *testing.T, path string) map[string]packed {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]packed)
	for archive, last := tar.NewReader(unzipped), ""; ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || header.Uname != "root" || header.Gname != "root" || !header.ModTime.Equal(date(t)) || header.Name <= last {
			t.Errorf("%s: of %d %d %q %q, %v, after %s", header.Name, header.Uid, header.Gid, header.Uname, header.Gname, header.ModTime, last)
		}
		last = header.Name
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		all[header.Name] = packed{header.FileInfo().Mode(), header.Linkname, content}
	}
}

func readZip(t *testing.T, path string) map[string]packed {
	t.Helper()
	content := read(t, path)
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]packed)
	for _, f := range archive.File {
		if !f.Modified.Equal(date(t)) {
			t.Errorf("%s: %v", f.Name, f.Modified)
		}
		content, err := fs.ReadFile(archive, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = packed{mode: f.Mode(), content: content}
	}
	return all
}

// checkRPM reads a .rpm: its dependencies, its files, and that its program is the archive's.
func checkRPM(t *testing.T, dir string, target target, program []byte) {
	t.Helper()
	rpm, err := rpmutils.ReadRpm(bytes.NewReader(read(t, dir, name+"-"+testVersion+"-1."+rpmArch[target.arch]+".rpm")))
	if err != nil {
		t.Fatal(err)
	}
	nevra, err := rpm.Header.GetNEVRA()
	if want := (rpmutils.NEVRA{Name: name, Epoch: "0", Version: testVersion, Release: "1", Arch: rpmArch[target.arch]}); err != nil || *nevra != want {
		t.Errorf("%+v, %v, want %+v", nevra, err, want)
	}
	if host, err := rpm.Header.GetString(rpmutils.BUILDHOST); err != nil || host != "localhost" {
		t.Errorf("build host %q, %v", host, err)
	}
	needs, err := rpm.Header.GetStrings(rpmutils.REQUIRENAME)
	if err != nil || !slices.Contains(needs, "git-core") {
		t.Errorf("needs %q, %v", needs, err)
	}
	all := rpmFiles(t, rpm)
	if f := all["/usr/bin/"+name]; f.mode != 0o755 || !bytes.Equal(f.content, program) {
		t.Errorf("program: %v, %d bytes, want %d", f.mode, len(f.content), len(program))
	}
	if f := all["/usr/bin/git-xmpp"]; f.link != name {
		t.Errorf("git-xmpp -> %q", f.link)
	}
	for _, path := range []string{"/usr/share/licenses/git-remote-xmpp/LICENSE", "/usr/share/doc/git-remote-xmpp/README.md", "/usr/share/man/man1/git-remote-xmpp.1.gz"} {
		if all[path].mode != 0o644 {
			t.Errorf("%s isn't in %q", path, slices.Sorted(maps.Keys(all)))
		}
	}
}

func rpmFiles(t *testing.T, rpm *rpmutils.Rpm) map[string]packed {
	t.Helper()
	payload, err := rpm.PayloadReaderExtended()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]packed)
	for {
		f, err := payload.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.UserName() != "root" || f.GroupName() != "root" || int64(f.Mtime()) != date(t).Unix() {
			t.Errorf("%s: of %s %s, %d", f.Name(), f.UserName(), f.GroupName(), f.Mtime())
		}
		p := packed{mode: fs.FileMode(f.Mode() & 0o777), link: f.Linkname()}
		if !payload.IsLink() && f.Mode()&cpio.S_ISDIR == 0 {
			if p.content, err = io.ReadAll(payload); err != nil {
				t.Fatal(err)
			}
		}
		all[f.Name()] = p
	}
}

// checkBOM compares a list of parts with what Go says of the program.
func checkBOM(t *testing.T, dir string, target target, program []byte) {
	t.Helper()
	j := job{release: release{version: testVersion}}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(read(t, dir, j.base(target)+".cdx.json")), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, module := range info.Deps {
		want = append(want, module.Path+" "+module.Version)
	}
	want = append(want, "std "+strings.TrimPrefix(info.GoVersion, "go"))
	for _, c := range *bom.Components {
		got = append(got, c.Name+" "+c.Version)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || len(got) < 10 {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if self := bom.Metadata.Component; self.Name != name || self.Version != testVersion {
		t.Errorf("it is of %s %s", self.Name, self.Version)
	}
}
