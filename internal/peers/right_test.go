package peers

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/refname"
	"git-remote-xmpp/internal/statefile"
)

var (
	features = refname.Patterns{"refs/heads/feature/*"}
	mainOnly = refname.Patterns{"refs/heads/main"}
)

func limit(t *testing.T, s *Store, key Key, repo string, refs refname.Patterns) {
	t.Helper()
	must(t, s.SetRight(t.Context(), key, []string{repo}, Right{Write, refs}))
}

// may fails the test unless a key has just this right.
func may(t *testing.T, s *Store, key Key, repo string, want Access, refs ...string) {
	t.Helper()
	if got := s.Right(key, repo); got.Access != want || !slices.Equal(got.Refs, refs) {
		t.Errorf("right of %.15s to %.8s: %+v, want %s %q", key, repo, got, want, refs)
	}
	if p := peer(t, s, key); p.Access[repo] != want || !slices.Equal(p.Refs[repo], refs) {
		t.Errorf("%.15s is shown with %s %q, want %s %q", key, p.Access[repo], p.Refs[repo], want, refs)
	}
}

// Write may be limited; the limit goes with write, or when it is taken away.
func TestLimitedWrite(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	limit(t, s, key, repo1, features)
	must(t, s.SetAccess(t.Context(), key, []string{repo2}, Write))
	may(t, s, key, repo1, Write, features...)
	may(t, s, key, repo2, Write)
	if got := s.Right(key, strings.ToUpper(repo1)); got.Access != Write || got.Refs.All() {
		t.Errorf("by another spelling: %+v", got)
	}
	must(t, s.SetAccess(t.Context(), key, []string{repo1, repo2}, Write))
	may(t, s, key, repo1, Write, features...)
	may(t, s, key, repo2, Write)
	must(t, s.SetAccess(t.Context(), key, []string{repo1}, Read))
	may(t, s, key, repo1, Read)
	must(t, s.SetAccess(t.Context(), key, []string{repo1}, Write))
	may(t, s, key, repo1, Write)
	limit(t, s, key, repo1, mainOnly)
	limit(t, s, key, repo1, nil)
	may(t, s, key, repo1, Write)
	must(t, s.Check())
	if got := s.Right(testKey(9), repo1); got.Access != None {
		t.Errorf("a stranger's: %+v", got)
	}
}

func TestBadLimits(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	for name, test := range map[string]struct {
		right Right
		want  error
	}{
		"read":    {Right{Read, features}, ErrBadRight},
		"none":    {Right{None, features}, ErrBadRight},
		"beyond":  {Right{Access: 7}, ErrBadAccess},
		"short":   {Right{Write, refname.Patterns{"main"}}, refname.ErrPattern},
		"empty":   {Right{Write, refname.Patterns{""}}, refname.ErrPattern},
		"comma":   {Right{Write, refname.Patterns{"refs/heads/a,refs/heads/b"}}, refname.ErrPattern},
		"control": {Right{Write, refname.Patterns{"refs/heads/a\u009bb"}}, refname.ErrPattern},
		"bidi":    {Right{Write, refname.Patterns{"refs/heads/a\u202eb"}}, refname.ErrPattern},
		"many":    {Right{Write, slices.Repeat(features, 65)}, refname.ErrTooMany},
	} {
		if err := s.SetRight(t.Context(), key, []string{repo1}, test.right); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p := peer(t, s, key); len(p.Grants) != 0 || len(p.Limits) != 0 {
		t.Errorf("%+v", p)
	}
	if err := s.SetRight(t.Context(), testKey(2), []string{repo1}, Right{Write, features}); !errors.Is(err, ErrUnknownPeer) {
		t.Error(err)
	}
	if err := s.SetRight(t.Context(), key, []string{"x"}, Right{Write, features}); !errors.Is(err, ErrBadUUID) {
		t.Error(err)
	}
}

// A file with limits that mean nothing is no file of ours: nobody has access by it.
func TestDamagedLimits(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	limit(t, s, key, repo1, mainOnly)
	path := filepath.Join(s.dir, "peers.json")
	good, err := os.ReadFile(path)
	must(t, err)
	for from, to := range map[string]string{`"refs/heads/main"`: "", "refs/heads/main": "main", `"write"`: `"read"`, "refs/heads/": "refs/heads/**"} {
		bad := strings.Replace(string(good), from, to, 1)
		if bad == string(good) {
			t.Fatalf("no %s in %s", from, good)
		}
		write(t, path, bad, 0o600)
		if err := Open(s.dir).Check(); !errors.Is(err, statefile.ErrCorrupt) {
			t.Errorf("%s in the place of %s: %v", to, from, err)
		}
		if got := Open(s.dir).Right(key, repo1); got.Access != None {
			t.Errorf("%s in the place of %s: %+v", to, from, got)
		}
	}
}

// A machine that is vouched for has its voucher's limit; of several it has what they have together.
func TestVouchedLimits(t *testing.T) {
	s := testStore(t)
	laptop, tower, guest := invited(t, s, 1, bob, repo1, Read), invited(t, s, 3, bob, repo1, Read), testKey(2)
	limit(t, s, laptop, repo1, features)
	vouch(t, s, laptop, bob, vouchee(2))
	may(t, s, guest, repo1, Write, features...)
	vouch(t, s, tower, bob, vouchee(2)) // may read
	may(t, s, guest, repo1, Write, features...)
	limit(t, s, tower, repo1, mainOnly)
	may(t, s, guest, repo1, Write, features[0], mainOnly[0])
	limit(t, s, tower, repo1, nil)
	may(t, s, guest, repo1, Write)
	must(t, s.SetAccess(t.Context(), tower, []string{repo1}, None))
	may(t, s, guest, repo1, Write, features...)

	must(t, s.SetAccess(t.Context(), guest, []string{repo1}, Write)) // a grant of its own, and no more than before
	may(t, s, guest, repo1, Write, features...)
	limit(t, s, laptop, repo1, nil)
	may(t, s, guest, repo1, Write, features...)
	must(t, s.Remove(t.Context(), laptop))
	may(t, s, guest, repo1, Write, features...)
	must(t, s.Check())
}

// Another machine of ours is told of who may write to some refs as of one who may read: what it is told has no place for refs.
func TestLimitsAreShared(t *testing.T) {
	s := testStore(t)
	desktop := machine(t, s)
	guest := invited(t, s, 3, alice, repo1, Write)
	for _, test := range []struct {
		refs refname.Patterns
		want Access
	}{{nil, Write}, {features, Read}, {nil, Write}} {
		limit(t, s, guest, repo1, test.refs)
		said, err := s.ToShare(bob, desktop)
		must(t, err)
		if len(said) != 1 || said[0].Key != guest || said[0].Access != test.want {
			t.Errorf("with %q: %+v", test.refs, said)
		}
	}
}

// What another machine of ours says counts as far as that may itself, refs included.
func TestSharedLimits(t *testing.T) {
	s := testStore(t)
	laptop := machine(t, s)
	limit(t, s, laptop, repo1, features)
	said := Vouched{Key: testKey(3), Address: alice, Repository: repo1, Access: Write}
	must(t, s.Share(t.Context(), laptop, bob, []Vouched{said}))
	may(t, s, testKey(3), repo1, Write, features...)
	said.Access = Read
	must(t, s.Share(t.Context(), laptop, bob, []Vouched{said}))
	may(t, s, testKey(3), repo1, Read)
}

// An invite never takes anything away: one to read leaves a limit, one to write to some refs adds to it, one to write takes it off.
func TestInviteAndLimits(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	redeem := func(key Key, refs refname.Patterns) {
		t.Helper()
		secret, err := s.NewInvite(t.Context(), InviteRequest{RepoUUID: repo1, Access: Write, Refs: refs, Expires: time.Hour})
		must(t, err)
		got, err := s.Redeem(t.Context(), secret, key, bob, "", s.now())
		if err != nil || !slices.Equal(got.Refs, refs) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	limit(t, s, key, repo1, features)
	invited(t, s, 1, bob, repo1, Read)
	may(t, s, key, repo1, Write, features...)
	redeem(key, mainOnly)
	may(t, s, key, repo1, Write, features[0], mainOnly[0])
	invited(t, s, 1, bob, repo1, Write)
	may(t, s, key, repo1, Write)
	redeem(key, mainOnly)
	may(t, s, key, repo1, Write)

	redeem(testKey(2), mainOnly)
	may(t, s, testKey(2), repo1, Write, mainOnly...)
	must(t, s.Check())
	text, err := os.ReadFile(s.invites.Path)
	must(t, err)
	write(t, s.invites.Path, strings.ReplaceAll(string(text), `"refs/heads/main"`, `"main"`), 0o600)
	if err := Open(s.dir).Check(); !errors.Is(err, statefile.ErrCorrupt) {
		t.Errorf("an invite for what is no ref: %v", err)
	}
}
