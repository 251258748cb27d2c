package repo

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// The oldest git that takes in pushes. Before, `git update-ref --stdin` kept its answers back (mended in 2.33.1), and
// a push in fallback mode waited for them in vain.
const oldestMajor, oldestMinor = 2, 34

// CheckVersion returns an error if git is too old to serve repositories with. Pushing and fetching go with older ones.
func CheckVersion(ctx context.Context) error {
	out, err := run(ctx, "", os.Environ(), nil, "version")
	if err != nil {
		return err
	}
	return checkVersion(firstLine(out))
}

// checkVersion judges by what `git version` says: "git version 2.39.5 (Apple Git-154)". A git with other words isn't an old one.
func checkVersion(said string) error {
	version, ok := strings.CutPrefix(said, "git version ")
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); !ok || n != 2 {
		return nil
	}
	if major > oldestMajor || major == oldestMajor && minor >= oldestMinor {
		return nil
	}
	version, _, _ = strings.Cut(version, " ")
	return fmt.Errorf("git %s is too old to serve repositories with: that takes %d.%d or newer", version, oldestMajor, oldestMinor)
}
