// Package pushcmd finds the `git push` that a remote helper works for, and reads from its command line what the user asked
// for. Git tells a helper neither refspecs nor force nor leases (gitremote-helpers(7), connect), and checks them against
// the advertisement by itself.
//
// It knows processes and the options of git-push(1). It must not know repositories, remotes or the protocol:
// what a refspec means is for package repo to find out.
package pushcmd

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/shirou/gopsutil/v4/process"
)

// maxAncestors is how far up the process tree a git push is looked for: git itself is up to two processes
// (`git push`, `git remote-xmpp`), wrappers of git on some systems are more.
const maxAncestors = 6

// Find returns what the nearest git command among the ancestors of this process was asked to push; nil if that isn't a push,
// or can't be found out. Then nothing is known, which is no error: git may run under something that hides it.
func Find(ctx context.Context) *Push {
	pid := int32(os.Getppid())
	for range maxAncestors {
		p := &process.Process{Pid: pid}
		argv, err := p.CmdlineSliceWithContext(ctx)
		if err != nil {
			return nil
		}
		if command, args, ok := gitCommand(argv); ok && !strings.HasPrefix(command, "remote-") {
			if command != "push" {
				return nil
			}
			return parse(args)
		}
		if pid, err = p.PpidWithContext(ctx); err != nil || pid <= 1 {
			return nil
		}
	}
	return nil
}

// gitCommand takes the command line of a process apart if it is git's: `git [<options>] <command> <args>`, or `git-<command> <args>`.
func gitCommand(argv []string) (command string, args []string, ok bool) {
	if len(argv) == 0 {
		return "", nil, false
	}
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(filepath.ToSlash(argv[0]))), ".exe")
	if command, ok := strings.CutPrefix(name, "git-"); ok {
		return command, argv[1:], true
	}
	if name != "git" {
		return "", nil, false
	}
	for i := 1; i < len(argv); i++ {
		switch a := argv[i]; {
		case !strings.HasPrefix(a, "-"):
			return a, argv[i+1:], true
		case takesValue(a):
			i++
		}
	}
	return "", nil, false
}

// takesValue tells the options of git itself (git(1)) that are followed by their value.
func takesValue(option string) bool {
	switch option {
	case "-C", "-c", "--git-dir", "--work-tree", "--namespace", "--super-prefix", "--config-env", "--attr-source", "--shallow-file":
		return true
	}
	return false
}
