package repo

import (
	"os"
	"slices"
	"strings"
)

// Variables that a hook of the repository's own sees.
const (
	envPeerJID   = "GIT_XMPP_PEER_JID"
	envPeerUUID  = "GIT_XMPP_PEER_UUID"
	envPeerKey   = "GIT_XMPP_PEER_KEY"
	envPeerLabel = "GIT_XMPP_PEER_LABEL"
)

// Variables by which Command tells the hook of ours what to do. They are taken
// away before the repository's own hooks run.
const (
	// envLifeline is the descriptor of a hook's [Lifeline].
	envLifeline = "GIT_XMPP_LIFELINE"
	// envHooks is the absolute path of the repository's own hooks folder.
	envHooks = "GIT_XMPP_HOOKS"
	// envIntegrate is Policy.Integrate; set in fallback mode only.
	envIntegrate = "GIT_XMPP_INTEGRATE"
	// envRefs is Policy.Refs; set only if they aren't all.
	envRefs = "GIT_XMPP_REFS"
	// envRecord is the file of a push's [Record].
	envRecord = "GIT_XMPP_RECORD"
)

// Environ is the environment for git on the serving side: ours without any
// GIT_* variable, so that neither a repository that `serve` happens to be
// started in nor a password reaches git or a hook; and without the variables
// that choose a language for what git tells a peer. LC_ALL is left alone.
func Environ() []string {
	return without(os.Environ(), func(name string) bool {
		return strings.HasPrefix(name, "GIT_") || name == "LANG" || name == "LANGUAGE" || name == "LC_MESSAGES"
	})
}

// hookEnviron is the environment for the repository's own hooks: environ
// without what Command added for its own ends. All that GIT_CONFIG_PARAMETERS
// and GIT_CONFIG_COUNT hold was added by Command, for it starts from Environ.
func hookEnviron(environ []string) []string {
	return without(environ, func(name string) bool {
		switch name {
		case envHooks, envIntegrate, envRefs, envLifeline, envRecord, "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT",
			"GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL":
			return true
		}
		return strings.HasPrefix(name, "GIT_CONFIG_KEY_") || strings.HasPrefix(name, "GIT_CONFIG_VALUE_")
	})
}

// isSecret reports whether a variable holds a password or a key of this
// program's, for which git and what it runs have no use.
func isSecret(name string) bool {
	return name == "GIT_XMPP_PASSWORD" || name == "GIT_XMPP_IDENTITY"
}

// isLocalVariable reports whether a variable points git at one repository and
// would be wrong, or ambiguous, beside --git-dir.
func isLocalVariable(name string) bool {
	switch name {
	case "GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX":
		return true
	}
	return false
}

// without returns environ less the variables that drop says true for.
func without(environ []string, drop func(name string) bool) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return drop(strings.ToUpper(name))
	})
}
