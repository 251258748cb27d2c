package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

var allTargets = []string{
	"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64", "freebsd/amd64", "freebsd/arm64",
}

// A target is a system that the program is built for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "/" + t.arch }

// program is the name of the program's file.
func (t target) program() string {
	if t.os == "windows" {
		return name + ".exe"
	}
	return name
}

func parseTargets(list string) ([]target, error) {
	var targets []target
	for _, text := range strings.Fields(list) {
		if !slices.Contains(allTargets, text) {
			return nil, fmt.Errorf("target %q: not one of %s", text, strings.Join(allTargets, ", "))
		}
		os, arch, _ := strings.Cut(text, "/")
		targets = append(targets, target{os, arch})
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("no targets")
	}
	return targets, nil
}

// build builds the program for a target, and returns its file. What the machine's environment says of Go is left out, but for
// where its caches are and where modules come from.
func (j *job) build(ctx context.Context, t target, work string) (string, error) {
	file := filepath.Join(work, t.os+"-"+t.arch, t.program())
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version="+j.version,
		"-o", file, "./cmd/"+name)
	cmd.Dir = j.root
	cmd.Env = append(os.Environ(), "GOOS="+t.os, "GOARCH="+t.arch, "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return file, cmd.Run()
}
