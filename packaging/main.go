// Command packaging makes what people install the program from: archives, .deb and .rpm files, a Homebrew formula, a
// list of what is in them (SBOM), and their sums. The same commit gives the same bytes, wherever and whenever it is built.
//
// It is a module of its own, so that whoever builds the program doesn't need what it takes to package it. It knows what `make install`
// installs and how the program is built, and nothing of what the program does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

// name is that of the program, and of its packages.
const name = "git-remote-xmpp"

// A job is what to build, and from what.
type job struct {
	root     string // of the source
	stage    string // what `make install` with PREFIX=/usr has installed
	out      string
	contact  string // of the packages' maintainer
	releases string // the URL of the folder that the archives are put into
	release
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var j job
	flag.StringVar(&j.root, "root", "..", "the program's source")
	flag.StringVar(&j.stage, "stage", "", "the folder that make install has filled, with DESTDIR set to it and PREFIX to /usr")
	flag.StringVar(&j.out, "out", "", "the folder for the results, which is made anew")
	flag.StringVar(&j.contact, "contact", "", "who maintains the packages: Name <address>")
	flag.StringVar(&j.releases, "releases", "", "the URL of the folder that the archives will be in, for the Homebrew formula")
	targets := flag.String("targets", strings.Join(allTargets, " "), "what to build for: os/arch ...")
	flag.Parse()
	if j.stage == "" || j.out == "" || j.contact == "" || j.releases == "" || flag.NArg() > 0 {
		return fmt.Errorf("-stage, -out, -contact and -releases are needed, and no more: see -help")
	}
	list, err := parseTargets(*targets)
	if err != nil {
		return err
	}
	if j.release, err = findRelease(ctx, j.root); err != nil {
		return err
	}
	return j.make(ctx, list)
}

// make builds everything for the targets.
func (j *job) make(ctx context.Context, targets []target) error {
	if err := os.RemoveAll(j.out); err != nil {
		return err
	}
	if err := os.MkdirAll(j.out, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", name+"-packaging-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, t := range targets {
		fmt.Println(t, j.version)
		if err := j.makeFor(ctx, t, work); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	if err := j.formula(); err != nil {
		return err
	}
	return sums(j.out)
}

func (j *job) makeFor(ctx context.Context, t target, work string) error {
	program, err := j.build(ctx, t, work)
	if err != nil {
		return err
	}
	if err := j.bom(t, program); err != nil {
		return err
	}
	if err := j.archive(t, program); err != nil {
		return err
	}
	if t.os != "linux" {
		return nil
	}
	for _, format := range []string{"deb", "rpm"} {
		if err := j.systemPackage(t, program, format, work); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
	}
	return nil
}
