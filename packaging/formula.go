package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed formula.rb.tmpl
var formulaText string

var formulaTemplate = template.Must(template.New("formula").Option("missingkey=error").Parse(formulaText))

// brewed are the systems that Homebrew runs on.
var brewed = map[string]target{
	"MacARM": {"darwin", "arm64"}, "MacIntel": {"darwin", "amd64"}, "LinuxARM": {"linux", "arm64"}, "LinuxIntel": {"linux", "amd64"},
}

// A bottle is an archive as a formula names it.
type bottle struct{ URL, Sum string }

// formula writes the Homebrew formula, if the archives are there that it names.
func (j *job) formula() error {
	data := map[string]any{"Version": j.version, "Releases": j.releases}
	for key, t := range brewed {
		archive := j.base(t) + ".tar.gz"
		sum, err := sumOf(filepath.Join(j.out, archive))
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Printf("no Homebrew formula: %s isn't built\n", t)
			return nil
		}
		if err != nil {
			return err
		}
		data[key] = bottle{URL: j.releases + "/" + archive, Sum: sum}
	}
	var text bytes.Buffer
	if err := formulaTemplate.Execute(&text, data); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(j.out, name+".rb"), text.Bytes(), 0o644)
}
