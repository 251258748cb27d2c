package network

import "testing"

// A Pair is two machines with a link between them.
type Pair struct {
	A, B *Namespace
	*Link
}

// New makes two namespaces and a link between them, which are gone with the test.
func New(tb testing.TB, o Options) *Pair {
	tb.Helper()
	a, b := NewNamespace(tb), NewNamespace(tb)
	return &Pair{a, b, Connect(tb, a, b, o)}
}
