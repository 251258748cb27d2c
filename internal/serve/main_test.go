package serve_test

import (
	"context"
	"os"
	"testing"

	"git-remote-xmpp/internal/repo"
)

// The test binary is the hook binary too, as the program is.
func TestMain(m *testing.M) {
	if name, ok := repo.IsHook(os.Args[0], os.Getenv); ok {
		os.Exit(repo.RunHook(context.Background(), name, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}
