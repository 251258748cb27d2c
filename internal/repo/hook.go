package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// IsHook reports whether git has started this program as a hook of a service
// from [Repo.Command], and which; argv0 is the name that it was started under.
func IsHook(argv0 string, getenv func(string) string) (name string, ok bool) {
	name = strings.TrimSuffix(filepath.Base(argv0), exeSuffix)
	own := getenv(envHooks)
	if own == "" || !filepath.IsAbs(own) || !hookName.MatchString(name) || strings.HasPrefix(name, "git-") {
		return "", false
	}
	return name, true
}

// RunHook does the work of a hook and returns the exit status to end with.
//
// In fallback mode proc-receive is ours: it takes in the push (see Policy). So it is where
// the sender may not change all refs: it refuses what is beyond.
// Any other name stands for the repository's own hook, which runs with the same
// arguments and input, in the environment that it would have without us, plus
// the GIT_XMPP_PEER_* variables. It ends when the [Lifeline] is cut. A push's receive-pack itself is kept in the same way.
func RunHook(ctx context.Context, name string, args []string, stdin io.Reader, stdout, stderr io.Writer) (exitStatus int) {
	if name == keeper {
		return keep(args, stdin, stdout, stderr)
	}
	if integrate := os.Getenv(envIntegrate); name == procReceive && (integrate != "" || os.Getenv(envRefs) != "") {
		// A push is stopped by the lifeline, or by a signal to the whole
		// group; what has been begun on a work tree is finished or undone
		// first. SIGPIPE must not end us in the middle either.
		ctx, stop := withLifeline(ctx)
		defer stop()
		if err := receive(ctx, integrate, stdin, stdout, stderr); err != nil {
			fmt.Fprintf(stderr, "git-remote-xmpp: %v\n", err)
			return 1
		}
		return 0
	}
	path, record := findHook(os.Getenv(envHooks), name), os.Getenv(envRecord)
	if path == "" && (name != postReceive || record == "") {
		return 0 // gone since the push began: git runs no hook then
	}
	if integrate := os.Getenv(envIntegrate); name == postReceive && (integrate != "" || record != "") {
		input, err := toldAfter(ctx, integrate, stdin)
		if err != nil {
			fmt.Fprintf(stderr, "git-remote-xmpp: %v\n", err)
			return 1
		}
		if err := writeRecord(record, input); err != nil {
			fmt.Fprintf(stderr, "git-remote-xmpp: this push isn't told: %v\n", err)
		}
		if input == "" || path == "" {
			return 0 // nothing has changed: git runs no hook then
		}
		stdin = strings.NewReader(input)
	}
	status, err := becomeHook(ctx, path, args, hookEnviron(os.Environ()), stdin, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, cannotRun(name, err))
		return 1
	}
	return status
}

// cannotRun says why a hook of the repository's own can't be run. The pusher reads it: no path.
func cannotRun(name string, err error) string {
	var file *fs.PathError
	if errors.As(err, &file) {
		err = file.Err
	}
	return fmt.Sprintf("git-remote-xmpp: can't run the repository's own hook %s: %v", name, err)
}

// toldAfter is the input of the repository's own post-receive hook.
func toldAfter(ctx context.Context, integrate string, stdin io.Reader) (string, error) {
	repo, err := fromEnviron(ctx, hookEnviron(os.Environ()))
	if err != nil {
		return "", err
	}
	return repo.reallyChanged(ctx, stdin, integrate == IntegrateMerge)
}
