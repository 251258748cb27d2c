package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A file is one file of a package. What isn't here, such as its owner and its time, is the same for all.
type file struct {
	path       string // with slashes
	content    []byte
	link       string // where it points to, for a symbolic link
	executable bool
}

func (f file) mode() fs.FileMode {
	if f.executable {
		return 0o755
	}
	return 0o644
}

// documents are those that go into every package. What else is in doc goes beside them.
var documents = []string{"README.md", "CHANGELOG.md", "protocol/SPEC.md", "doap.xml"}

// installed are the files that `make install` has put below its prefix, with paths relative to that, without the program, which is another
// one for each target.
func (j *job) installed() ([]file, error) {
	prefix := filepath.Join(j.stage, "usr")
	var files []file
	err := filepath.WalkDir(prefix, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(prefix, path)
		if err != nil {
			return err
		}
		f := file{path: filepath.ToSlash(relative)}
		switch {
		case f.path == "bin/"+name || f.path == "bin/git-xmpp":
			return nil
		case entry.Type() == fs.ModeSymlink:
			if f.link, err = os.Readlink(path); err == nil && filepath.IsAbs(f.link) {
				err = fmt.Errorf("%s: an absolute link", path)
			}
		case entry.Type().IsRegular():
			f.executable = strings.HasPrefix(f.path, "bin/")
			f.content, err = os.ReadFile(path)
		default:
			err = fmt.Errorf("%s: neither a file nor a link", path)
		}
		files = append(files, f)
		return err
	})
	return files, err
}

// documentation are the documents, with their paths in the source: their links to each other hold.
func (j *job) documentation() ([]file, error) {
	more, err := filepath.Glob(filepath.Join(j.root, "doc", "*"))
	if err != nil {
		return nil, err
	}
	paths := slices.Clone(documents)
	for _, path := range more {
		switch filepath.Ext(path) {
		case ".md", ".svg", ".png":
			paths = append(paths, "doc/"+filepath.Base(path))
		}
	}
	var files []file
	for _, path := range paths {
		content, err := os.ReadFile(filepath.Join(j.root, filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		files = append(files, file{path: path, content: content})
	}
	return files, nil
}

// sorted are files in the order of their paths; no two have the same.
func sorted(files []file) ([]file, error) {
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	for i := range files[1:] {
		if files[i].path == files[i+1].path {
			return nil, fmt.Errorf("%s: twice", files[i].path)
		}
	}
	return files, nil
}

// zipped is a file compressed by gzip, without a name and a time.
func zipped(f file) (file, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return f, err
	}
	if _, err := w.Write(f.content); err != nil {
		return f, err
	}
	f.path, f.content = f.path+".gz", nil
	err = w.Close()
	f.content = b.Bytes()
	return f, err
}
