package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestFindDirs(t *testing.T) {
	root := t.TempDir()
	home, data, run := filepath.Join(root, "home"), filepath.Join(root, "data"), filepath.Join(root, "run")
	d, err := FindDirs([]string{"HOME=" + home})
	if want := filepath.Join(home, ".local", "share", "git-remote-xmpp"); err != nil || d.Data != want || d.Runtime != filepath.Join(want, "run") {
		t.Errorf("HOME alone: %+v, %v", d, err)
	}
	d, err = FindDirs([]string{"HOME=" + home, "XDG_DATA_HOME=" + data})
	if err != nil || d.Data != filepath.Join(data, "git-remote-xmpp") {
		t.Errorf("XDG_DATA_HOME: %+v, %v", d, err)
	}
	d, err = FindDirs([]string{"HOME=" + home, "XDG_DATA_HOME=data", "XDG_RUNTIME_DIR=run"})
	if err != nil || !strings.HasPrefix(d.Data, home) || d.Runtime != filepath.Join(d.Data, "run") {
		t.Errorf("relative paths: %+v, %v", d, err)
	}
	alice, err1 := FindDirs([]string{"HOME=" + filepath.Join(root, "alice"), "XDG_RUNTIME_DIR=" + run})
	bob, err2 := FindDirs([]string{"HOME=" + filepath.Join(root, "bob"), "XDG_RUNTIME_DIR=" + run})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if alice.Runtime == bob.Runtime || filepath.Dir(alice.Runtime) != filepath.Join(run, "git-remote-xmpp") {
		t.Errorf("two homes, one XDG_RUNTIME_DIR: %s and %s", alice.Runtime, bob.Runtime)
	}
	for _, env := range [][]string{{}, {"HOME=relative"}} {
		if _, err := FindDirs(env); !errors.Is(err, ErrNoHome) {
			t.Errorf("%v: %v", env, err)
		}
	}
}

func TestMakeDirs(t *testing.T) {
	root := t.TempDir()
	d, err := FindDirs([]string{"HOME=" + root})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(d.MakeData(), d.MakeRuntime()); err != nil {
			t.Fatal(err)
		}
	}
	if runtime.GOOS == "windows" {
		return // no mode bits there
	}
	for _, dir := range []string{d.Data, d.Runtime} {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
	if err := os.Chmod(d.Runtime, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.MakeRuntime(); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "chmod 700 "+d.Runtime) {
		t.Errorf("open folder: %v", err)
	}
}
