package config

import (
	"context"
	"path/filepath"
	"strings"
)

// LFSRemote is the URL of what git-lfs exchanges objects with when it names a remote, by its name or a URL. Settings of git-lfs's come
// before those of git's, as there (git-lfs-config(5)). dir and env are those of [Load].
func LFSRemote(ctx context.Context, dir string, env []string, remote string, upload bool) (string, error) {
	s := newSource(dir, env)
	keys := []string{"lfs.url", "remote." + remote + ".lfsurl"}
	get := []string{"remote", "get-url", remote}
	if upload {
		keys = []string{"lfs.pushurl", "lfs.url", "remote." + remote + ".lfspushurl", "remote." + remote + ".lfsurl"}
		get = []string{"remote", "get-url", "--push", remote}
	}
	settings, err := s.lfsSettings(ctx)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		if value := settings[key]; value != "" {
			return s.expand(ctx, value)
		}
	}
	if out, err := s.git(ctx, nil, nil, get...); err == nil {
		url, _, _ := strings.Cut(string(out), "\n") // of several, git pushes to all
		return url, nil
	}
	return s.expand(ctx, remote)
}

// lfsSettings are the URLs that settings name: git's, and those in .lfsconfig where git has none.
func (s *source) lfsSettings(ctx context.Context) (map[string]string, error) {
	query := []string{"--null", "--get-regexp", `^(lfs\.(push)?url|remote\..*\.lfs(push)?url)$`}
	values := make(map[string]string)
	files := [][]string{{"--blob", "HEAD:.lfsconfig"}}
	if top, err := s.git(ctx, nil, nil, "rev-parse", "--show-toplevel"); err == nil {
		files = append(files, []string{"--file", filepath.Join(strings.TrimSuffix(string(top), "\n"), ".lfsconfig")})
	}
	for _, file := range append(files, nil) {
		out, err := s.git(ctx, nil, nil, append(append([]string{"config"}, file...), query...)...)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			continue // no such file, or none of these in it
		}
		for key, value := range parseSettings(out) {
			values[key] = value
		}
	}
	return values, nil
}

// expand is a URL as git would use it (git-config(1), url.<base>.insteadOf).
func (s *source) expand(ctx context.Context, url string) (string, error) {
	out, err := s.git(ctx, nil, nil, "ls-remote", "--get-url", "--", url)
	return strings.TrimSuffix(string(out), "\n"), err
}
