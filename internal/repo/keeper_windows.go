package repo

import (
	"context"
	"io"
	"os/exec"
)

// keeper isn't needed: there is no SIGPIPE here, and git ends by itself.
const keeper = ""

func keeperCommand(ctx context.Context, args []string) (*exec.Cmd, error) {
	return exec.CommandContext(ctx, "git", args...), nil
}

func keep([]string, io.Reader, io.Writer, io.Writer) int { return 1 }
