package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A release is what is packaged: a version and its date, which all files get.
type release struct {
	version string
	date    time.Time
}

// versionSyntax is what semver, Debian and RPM all take, and what is safe in a file's name.
var versionSyntax = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+([+~.][0-9A-Za-z.]+)*$`)

// findRelease takes VERSION and SOURCE_DATE_EPOCH from the environment, as who builds from an archive sets them, and else what git says.
func findRelease(ctx context.Context, root string) (r release, err error) {
	if r.version = os.Getenv("VERSION"); r.version == "" {
		if r.version, err = gitVersion(ctx, root); err != nil {
			return r, fmt.Errorf("version: %w; without git set VERSION", err)
		}
	}
	if !versionSyntax.MatchString(r.version) {
		return r, fmt.Errorf("version %q: not like 1.2.3 or 1.2.3+4.gabcdef", r.version)
	}
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		if epoch, err = git(ctx, root, "log", "-1", "--format=%ct"); err != nil {
			return r, fmt.Errorf("date: %w; without git set SOURCE_DATE_EPOCH", err)
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds <= 0 {
		return r, fmt.Errorf("date %q: not a number of seconds since 1970", epoch)
	}
	r.date = time.Unix(seconds, 0).UTC()
	return r, nil
}

// gitVersion is 1.2.3 for the tag v1.2.3; 1.2.3+4.gabcdef for the fourth commit after it, and with .dirty where files differ from that. Before
// the first tag it counts from 0.0.0.
func gitVersion(ctx context.Context, root string) (string, error) {
	version, count, commit := "0.0.0", "", ""
	described, err := git(ctx, root, "describe", "--tags", "--long", "--abbrev=12", "--match", "v[0-9]*")
	if err == nil {
		parts := strings.Split(described, "-")
		if len(parts) != 3 {
			return "", fmt.Errorf("the tag of %s isn't like v1.2.3", described)
		}
		version, count, commit = strings.TrimPrefix(parts[0], "v"), parts[1], parts[2]
	} else {
		if count, err = git(ctx, root, "rev-list", "--count", "HEAD"); err != nil {
			return "", err
		}
		if commit, err = git(ctx, root, "rev-parse", "--short=12", "HEAD"); err != nil {
			return "", err
		}
		commit = "g" + commit
	}
	changed, err := git(ctx, root, "status", "--porcelain")
	if err != nil {
		return "", err
	}
	var more []string
	if count != "0" {
		more = append(more, count, commit)
	}
	if changed != "" {
		more = append(more, "dirty")
	}
	if len(more) > 0 {
		version += "+" + strings.Join(more, ".")
	}
	return version, nil
}

func git(ctx context.Context, root string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
