package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

const (
	summary     = "push to, fetch from and clone git repositories over XMPP"
	description = `A remote helper that lets git push to, fetch from and clone each other's
repositories with nothing between two machines but an XMPP account each:
no forge, no open port, no static address. The server in the middle relays
messages that it can't read, until there is a direct path past it.`
)

//go:embed copyright
var copyright string

// overrides say to lintian what is on purpose.
//
//go:embed lintian-overrides
var overrides string

// systemPackage makes a .deb or a .rpm.
func (j *job) systemPackage(t target, program, format, work string) error {
	contents, err := j.contents(program, format, filepath.Join(work, t.os+"-"+t.arch, format))
	if err != nil {
		return err
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: name, Arch: t.arch, Platform: t.os, Version: j.version, VersionSchema: "none", MTime: j.date,
		Section: "vcs", Priority: "optional", Maintainer: j.contact, License: "Apache-2.0", Description: summary + "\n" + description,
		DisableGlobbing: true,
		Overridables: nfpm.Overridables{
			Contents: contents,
			Umask:    0o022,
			RPM:      nfpm.RPM{BuildHost: "localhost", Summary: summary, Packager: j.contact},
		},
	})
	info.Depends, info.Recommends = []string{"git (>= 1:2.30)"}, []string{"ca-certificates", "git-credential-libsecret | git-credential-oauth"}
	if format == "rpm" {
		info.Depends, info.Recommends = []string{"git-core >= 2.30"}, []string{"ca-certificates", "git-credential-libsecret"}
		info.Release, info.Description = "1", description
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(j.out, packager.ConventionalFileName(info)))
	if err != nil {
		return err
	}
	defer out.Close()
	if err := packager.Package(info, out); err != nil {
		return err
	}
	return out.Close()
}

// contents are the files of a package, as the packager takes them: from a folder.
func (j *job) contents(program, format, dir string) (files.Contents, error) {
	list, err := j.systemFiles(program, format)
	if err != nil {
		return nil, err
	}
	var contents files.Contents
	for _, f := range list {
		c := &files.Content{Source: f.link, Destination: "/" + f.path, Type: files.TypeSymlink, FileInfo: &files.ContentFileInfo{Mode: 0o777, MTime: j.date, Owner: "root", Group: "root"}}
		if f.link == "" {
			c.Source, c.Type, c.FileInfo.Mode = filepath.Join(dir, f.path), files.TypeFile, f.mode()
			if err := os.MkdirAll(filepath.Dir(c.Source), 0o755); err != nil {
				return nil, err
			}
			if err := os.WriteFile(c.Source, f.content, f.mode()); err != nil {
				return nil, err
			}
		}
		contents = append(contents, c)
	}
	return contents, nil
}

// systemFiles are the files of a package with their paths in the system.
func (j *job) systemFiles(program, format string) ([]file, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	list := []file{{path: "usr/bin/" + name, content: content, executable: true}, {path: "usr/bin/git-xmpp", link: name}}
	installed, err := j.installed()
	if err != nil {
		return nil, err
	}
	for _, f := range installed {
		f.path = "usr/" + f.path
		if strings.HasPrefix(f.path, "usr/share/man/") && f.link == "" {
			if f, err = zipped(f); err != nil {
				return nil, err
			}
		}
		if format == "deb" { // which keeps the administrator's site-functions apart
			f.path = strings.Replace(f.path, "usr/share/zsh/site-functions/", "usr/share/zsh/vendor-completions/", 1)
		}
		list = append(list, f)
	}
	documents, err := j.documentation()
	if err != nil {
		return nil, err
	}
	for _, f := range documents {
		f.path = docs + f.path
		list = append(list, f)
	}
	legal, err := j.legal(format)
	if err != nil {
		return nil, err
	}
	return sorted(append(list, legal...))
}

const docs = "usr/share/doc/" + name + "/"

// legal are the files that each kind of package has for its licence, and Debian's for its changes.
func (j *job) legal(format string) ([]file, error) {
	if format == "rpm" {
		license, err := os.ReadFile(filepath.Join(j.root, "LICENSE"))
		return []file{{path: "usr/share/licenses/" + name + "/LICENSE", content: license}}, err
	}
	changes, err := zipped(file{path: docs + "changelog", content: fmt.Appendf(nil, "%s (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n",
		name, j.version, j.contact, j.date.Format(time.RFC1123Z))})
	return []file{changes, {path: docs + "copyright", content: []byte(copyright)}, {path: "usr/share/lintian/overrides/" + name, content: []byte(overrides)}}, err
}
