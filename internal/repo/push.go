package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const (
	// maxTipsAtOnce and maxRefspecBytes bound the command line of one git push: Windows takes 32 KiB.
	maxTipsAtOnce   = 200
	maxRefspecBytes = 16 << 10
)

// urlPrefixes are how URLs begin for which git runs this program.
var urlPrefixes = []string{"xmpp::", "xmpp://"}

// isOurURL reports whether git runs this program for a URL.
func isOurURL(url string) bool {
	return slices.ContainsFunc(urlPrefixes, func(p string) bool { return strings.HasPrefix(url, p) })
}

// Pushed is what became of a push.
type Pushed struct {
	Taken    []Tip      // the other side has it: on the branch, or where it keeps what it can't put there
	Moved    []Tip      // those of them that are on the branch, or are a tag
	Rejected []Rejected // the other side doesn't take it
	Output   []string   // what git, the helper, hooks and the other side have said, made fit for a log; not all if it is much
}

// Rejected is a tip that was refused, and git's words for it: that a tag exists there with another value, say.
type Rejected struct {
	Tip
	Why string
}

// Push pushes tips of this repository to a URL that is for this program, by git push: each as its refspec says, with the value that the ref has now.
// Tips that are gone are left out. The repository's own pre-push hook runs; nobody is asked for anything. git is run with this process's
// environment and more variables, and finds its helper in this very binary. It ends with ctx, with all that it has started.
//
// That tips are rejected is no error. After an error Pushed says what had become of the tips until then.
func (r *Repo) Push(ctx context.Context, url string, tips []Tip, hooks HooksDir, more ...string) (*Pushed, error) {
	if !isOurURL(url) {
		return nil, errors.New("git push: not a URL of this program")
	}
	self, err := r.UUID(ctx)
	if err != nil {
		return nil, err
	}
	bin, err := hooks.helper()
	if err != nil {
		return nil, err
	}
	now, err := r.refs(ctx, headsPrefix, tagsPrefix, syncedPrefix)
	if err != nil {
		return nil, err
	}
	p := &pusher{repo: r, url: url, environ: pushEnviron(more, bin), output: outputLimit, result: new(Pushed)}
	var batch []Tip
	bytes := 0
	for _, t := range tips {
		spec := t.refspec(self)
		if now[t.Ref] == "" || spec == "" {
			continue
		}
		if len(batch) == maxTipsAtOnce || bytes+len(spec) > maxRefspecBytes {
			if err := p.push(ctx, self, batch); err != nil {
				return p.result, err
			}
			batch, bytes = nil, 0
		}
		batch, bytes = append(batch, t), bytes+len(spec)
	}
	if len(batch) > 0 {
		err = p.push(ctx, self, batch)
	}
	return p.result, err
}

// pushEnviron is the environment of a push that nobody watches.
func pushEnviron(more []string, bin string) []string {
	environ := append(without(os.Environ(), isLocalVariable), more...)
	return append(environ,
		"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", // an empty one keeps git from looking for another
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// pusher runs git push, perhaps several times.
type pusher struct {
	repo    *Repo
	url     string
	environ []string
	output  int // how many bytes of output are still kept
	result  *Pushed
}

// push pushes a batch of tips.
func (p *pusher) push(ctx context.Context, self string, tips []Tip) error {
	args := []string{"--git-dir=" + p.repo.Dir, "-c", "advice.pushUpdateRejected=false", "push", "--porcelain",
		"--no-atomic", "--no-follow-tags", "--no-signed", "--recurse-submodules=no", p.url}
	told := make(map[string]Tip)
	for _, t := range tips {
		args = append(args, t.refspec(self))
		told[t.Ref] = t
	}
	var failure string
	report := lines{each: func(line string) {
		from, to, rejected, ok := parsePushed(line)
		t, mine := told[from]
		switch {
		case !ok || !mine:
			return
		case strings.HasPrefix(rejected, remoteFailure):
			failure = rejected
			return
		case rejected != "":
			p.result.Rejected = append(p.result.Rejected, Rejected{t, rejected})
		default:
			p.result.Taken = append(p.result.Taken, t)
			if to == from {
				p.result.Moved = append(p.result.Moved, t)
			}
		}
		delete(told, from)
	}}
	first := ""
	said := lines{each: func(line string) { first = firstComplaint(first, p.keep(line)) }}

	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.repo.top(), p.environ, &report, &said
	before := len(p.result.Output)
	err := runGroup(ctx, cmd, StopGrace)
	report.end()
	said.end()
	first = sooner(first, p.result.Output[before:])
	switch {
	case err == nil || exitStatus(err) > 0 && len(told) == 0:
		return nil
	case failure != "":
		err = errors.New(failure)
	case first != "":
		err = fmt.Errorf("%w: %s", err, first)
	}
	return describe(ctx, args, err)
}
