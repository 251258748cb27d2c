package repo

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	headsPrefix  = "refs/heads/"
	syncedPrefix = "refs/synced/"
)

// StopGrace is how long a cancelled git service has to clean up after itself:
// on SIGTERM git removes its locks, on SIGKILL it doesn't. Its quarantine it
// removes on neither (since 2.39), only when it ends by itself: for that the
// caller ends its input first.
const StopGrace = 4 * time.Second

// HooksDir is a folder of ours that outlives the process, in which the folders
// of hooks for receive-pack are made. Nobody else may write there.
type HooksDir string

// Command prepares a git service on the repository for a peer. The caller sets
// its Stdin, Stdout and Stderr, starts it and waits for it; cancelling ctx asks
// it to stop, and after StopGrace Wait returns whatever is still alive, which
// [KillGroup] ends.
//
// protocolVersion (0 to 2) is all that comes in from the peer's environment.
// The repository's own hooks run, see [RunHook], and see the sender in
// GIT_XMPP_PEER_JID, _UUID, _KEY and _LABEL.
func (r *Repo) Command(ctx context.Context, service Service, protocolVersion int, sender Sender, policy Policy, hooks HooksDir) (*exec.Cmd, error) {
	if !service.Valid() {
		return nil, fmt.Errorf("unknown service %q", string(service))
	}
	if protocolVersion < 0 || protocolVersion > 2 {
		return nil, fmt.Errorf("unknown protocol version %d", protocolVersion)
	}
	if err := sender.check(service.Writes()); err != nil {
		return nil, err
	}
	environ := append(Environ(), sender.environ()...)
	if protocolVersion > 0 {
		environ = append(environ, fmt.Sprintf("GIT_PROTOCOL=version=%d", protocolVersion))
	}
	settings, err := r.hideSettings(ctx, service, sender)
	if err == nil && service.Writes() {
		var more, env []string
		more, env, err = r.receiveSettings(ctx, sender, policy, hooks)
		settings, environ = append(settings, more...), append(environ, env...)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", service, err)
	}
	var args []string
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	args = append(args, strings.TrimPrefix(string(service), "git-"), r.Dir)
	cmd := exec.CommandContext(ctx, "git", args...)
	if service.Writes() {
		if cmd, err = keeperCommand(ctx, args); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", service, err)
		}
	}
	cmd.Dir, cmd.Env, cmd.WaitDelay = r.Dir, environ, StopGrace
	ownGroup(cmd)
	cmd.Cancel = func() error { return terminateGroup(cmd) }
	return cmd, nil
}

// receiveSettings returns the settings and the environment that make
// receive-pack take a push the way policy says, and keep a record of it.
func (r *Repo) receiveSettings(ctx context.Context, sender Sender, policy Policy, hooks HooksDir) (settings, environ []string, err error) {
	policy, err = policy.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	own, err := r.ownHooks(ctx)
	if err != nil {
		return nil, nil, err
	}
	fallback, limited := policy.Mode == ModeFallback, !policy.Refs.All()
	told := policy.Told || findHook(own, postXMPPReceive) != ""
	shims, err := hooks.shims(own, ourHooks(fallback || limited, told)...)
	if err != nil {
		return nil, nil, err
	}
	settings = []string{
		"core.hooksPath=" + filepath.ToSlash(shims),
		"core.logAllRefUpdates=always", // a bare repository keeps no reflogs otherwise
		"receive.keepAlive=0",          // its packets would pass for progress while a hook hangs
	}
	// Receive-pack's own reflog entries have a fixed message: there the
	// sender is named as the one who made the change.
	environ = []string{
		envHooks + "=" + own,
		"GIT_COMMITTER_NAME=" + sender.name() + " (xmpp)",
		"GIT_COMMITTER_EMAIL=" + sender.JID,
	}
	if limited {
		environ = append(environ, envRefs+"="+policy.Refs.String())
	}
	if fallback || limited {
		// All refs, so that --atomic is one transaction, and nothing goes
		// past the sender's limits; what isn't a branch, or is in direct
		// mode, falls through to receive-pack.
		settings = append(settings, "receive.procReceiveRefs=refs")
	}
	if fallback {
		// Receive-pack hands no new shallow roots to the hook, so it must
		// not take any in.
		settings = append(settings, "receive.shallowUpdate=false")
		options, err := r.config(ctx, "receive.advertisePushOptions")
		if err != nil {
			return nil, nil, err
		}
		if len(options) == 0 { // the owner has nothing against them
			settings = append(settings, "receive.advertisePushOptions=true")
		}
		environ = append(environ, envIntegrate+"="+policy.Integrate)
	}
	if told {
		record, err := hooks.newRecord()
		if err != nil {
			return nil, nil, err
		}
		environ = append(environ, envRecord+"="+record)
	}
	return settings, environ, nil
}

// hideSettings returns the settings that hide what others have pushed from a
// peer. There are none for upload-archive: it lists no refs, but gives out what it is asked for by name.
func (r *Repo) hideSettings(ctx context.Context, service Service, sender Sender) (settings []string, err error) {
	section, ok := map[Service]string{ReceivePack: "receive", UploadPack: "uploadpack"}[service]
	if !ok {
		return nil, nil
	}
	own, err := r.hiddenRefs(ctx, section)
	if err != nil {
		return nil, err
	}
	for _, pattern := range hideSynced(own, sender.namespaces()) {
		settings = append(settings, section+".hideRefs="+pattern)
	}
	return settings, nil
}

// hiddenRefs returns the repository's own patterns of refs hidden from a
// service, in the order in which git reads them.
func (r *Repo) hiddenRefs(ctx context.Context, section string) ([]string, error) {
	out, err := r.git(ctx, nil, "config", "-z", "--get-regexp", `^(transfer|`+section+`)\.hiderefs$`)
	if exitStatus(err) == 1 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var patterns []string
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if _, value, ok := strings.Cut(entry, "\n"); ok {
			patterns = append(patterns, value)
		}
	}
	return patterns, nil
}

// hideSynced returns the patterns to add so that a peer neither sees nor
// writes what others have pushed, only what is in its own namespaces; own are the repository's
// patterns. The last pattern that matches a ref decides (git-config(1),
// transfer.hideRefs), so the additions would undo what the owner hides of the
// peer's own refs: such patterns are said again after them.
func hideSynced(own, namespaces []string) []string {
	patterns := []string{strings.TrimSuffix(syncedPrefix, "/")}
	for _, mine := range namespaces {
		hidden := false
		var deeper []string
		for _, pattern := range own {
			bare := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(pattern, "!"), "^"), "/")
			switch {
			case strings.HasPrefix(mine+"/", bare+"/"):
				hidden, deeper = !strings.HasPrefix(pattern, "!"), nil
			case strings.HasPrefix(bare, mine+"/"):
				deeper = append(deeper, pattern)
			}
		}
		if !hidden {
			patterns = append(patterns, "!"+mine)
		}
		patterns = append(patterns, deeper...)
	}
	return patterns
}
