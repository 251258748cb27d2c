package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// dirName is the name of our folder in those of the system.
const dirName = "git-remote-xmpp"

// ErrNoHome says that the environment doesn't tell where to keep files.
var ErrNoHome = errors.New("HOME is not set to an absolute path")

// Dirs are the folders of this installation (XDG Base Directory Specification).
type Dirs struct {
	Data    string // keys and peers; lasts
	Runtime string // sockets; gone when the user logs out
}

// FindDirs says where the folders are; it doesn't make them. A nil env is the
// environment of this process. Relative paths in it don't count, as the XDG
// specification demands. The runtime folder is one per data folder: two homes
// under one XDG_RUNTIME_DIR don't meet.
func FindDirs(env []string) (Dirs, error) {
	from := newSource("", env)
	data, err := dataDir(from)
	if err != nil {
		return Dirs{}, err
	}
	run := filepath.Join(data, "run")
	if base := from.getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(base) {
		sum := sha256.Sum256([]byte(data))
		run = filepath.Join(base, dirName, hex.EncodeToString(sum[:8]))
	}
	return Dirs{Data: data, Runtime: run}, nil
}

func dataDir(from *source) (string, error) {
	if base := from.getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, dirName), nil
	}
	if home := from.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "share", dirName), nil
	}
	if base := from.getenv("AppData"); runtime.GOOS == "windows" && filepath.IsAbs(base) {
		return filepath.Join(base, dirName), nil
	}
	return "", ErrNoHome
}

// MakeData makes the data folder if it isn't there, for the user alone.
func (d Dirs) MakeData() error { return makePrivate(d.Data) }

// MakeRuntime makes the runtime folder if it isn't there, for the user alone.
func (d Dirs) MakeRuntime() error { return makePrivate(d.Runtime) }

// makePrivate makes a folder with mode 0700. One that is there and open to
// others is refused, not mended: somebody may already have been in.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode()&0o077 != 0 {
		return fmt.Errorf("folder is open to others: chmod 700 %s: %w", dir, fs.ErrPermission)
	}
	return nil
}
