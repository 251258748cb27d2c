package integration

import (
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A handful of the scenes on the other server.
func TestGitFetchOnEjabberd(t *testing.T) {
	fetchScenes(t, testserver.Ejabberd, plays{
		"protocol versions": protocolVersions,
		"clone":             clonePlain,
		"shallow":           func(c *scene) { shallowDepth(c, versions[2]) },
		"partial":           func(c *scene) { partial(c, "blob:none") },
		"submodules":        submodulesNested,
	})
}
