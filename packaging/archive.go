package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// base is the name of a target's files, without the end that says of which kind they are.
func (j *job) base(t target) string { return name + "-" + j.version + "-" + t.os + "-" + t.arch }

// archive packs the program and what belongs to it, in a folder of its own: tar.gz, or zip for Windows.
func (j *job) archive(t target, program string) error {
	files, err := j.unpacked(t, program)
	if err != nil {
		return err
	}
	suffix, write := ".tar.gz", j.writeTar
	if t.os == "windows" {
		suffix, write = ".zip", j.writeZip
	}
	out, err := os.Create(filepath.Join(j.out, j.base(t)+suffix))
	if err != nil {
		return err
	}
	defer out.Close()
	if err := write(out, files); err != nil {
		return err
	}
	return out.Close()
}

// unpacked are the files of an archive: the program at the top, documents as in the source, and the rest as it is below a prefix.
func (j *job) unpacked(t target, program string) ([]file, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	license, err := os.ReadFile(filepath.Join(j.root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	files, err := j.documentation()
	if err != nil {
		return nil, err
	}
	files = append(files, file{path: t.program(), content: content, executable: true}, file{path: "LICENSE", content: license})
	if t.os == "windows" { // where there are no links, no manual and no shells that we complete for
		files = append(files, file{path: "git-xmpp.exe", content: content, executable: true})
	} else {
		files = append(files, file{path: "git-xmpp", link: name})
		installed, err := j.installed()
		if err != nil {
			return nil, err
		}
		for _, f := range installed {
			if t.os == "linux" || !strings.Contains(f.path, "systemd/") {
				files = append(files, f)
			}
		}
	}
	for i := range files {
		files[i].path = j.base(t) + "/" + files[i].path
	}
	return sorted(files)
}

func (j *job) writeTar(out io.Writer, files []file) error {
	zipper, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(zipper)
	for _, f := range files {
		header := &tar.Header{Name: f.path, Mode: int64(f.mode()), Size: int64(len(f.content)), ModTime: j.date, Typeflag: tar.TypeReg, Uname: "root", Gname: "root"}
		if f.link != "" {
			header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, f.link, 0o777
		}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		if _, err := w.Write(f.content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return zipper.Close()
}

func (j *job) writeZip(out io.Writer, files []file) error {
	w := zip.NewWriter(out)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.path, Method: zip.Deflate, Modified: j.date}
		header.SetMode(f.mode())
		to, err := w.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := to.Write(f.content); err != nil {
			return err
		}
	}
	return w.Close()
}
