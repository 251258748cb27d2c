package demo

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

const programName = "git-remote-xmpp"

// programFile is the program's file in a folder. git looks for it under this name.
func programFile(bin string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(bin, programName+".exe")
	}
	return filepath.Join(bin, programName)
}

// install makes the folder bin and puts the program in it, whatever its file is called: as a link or, where there
// are none, as a copy.
func install(program, bin string) error {
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	if runtime.GOOS != "windows" && os.Symlink(program, programFile(bin)) == nil {
		return nil
	}
	return copyProgram(program, programFile(bin))
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
