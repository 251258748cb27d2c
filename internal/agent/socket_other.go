//go:build !linux

package agent

import "fmt"

func shortAddress(dir string) (address string, release func(), err error) {
	return "", nil, fmt.Errorf("%s: path too long for a socket: set XDG_RUNTIME_DIR to a shorter one", dir)
}
