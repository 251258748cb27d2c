package repo

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/internal/pushcmd"
)

// What git push was asked for decides which branches of the other side are shown as missing.
func TestHiddenBranches(t *testing.T) {
	w := newWorld(t)
	one := git(t, w.client, "rev-parse", "main")
	commit(t, w.client, "two", "two")
	two := git(t, w.client, "rev-parse", "main")
	git(t, w.client, "branch", "same", two)
	git(t, w.client, "checkout", "--quiet", "-b", "topic", one)
	commit(t, w.client, "side", "side")
	git(t, w.client, "config", "branch.topic.merge", "refs/heads/main")
	t.Chdir(w.client)
	r, err := FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Theirs: main is behind our main and beside our topic, same is equal, topic and gone aren't known here.
	theirs := []string{two + " refs/heads/main\x00caps\n", two + " refs/heads/same\n", idA + " refs/heads/topic\n", idB + " refs/heads/gone\n", idB + " refs/tags/topic\n", ""}
	for name, test := range map[string]struct {
		ask    *pushcmd.Push
		config [][2]string
		hidden string
	}{
		"unknown":                   {nil, nil, "topic gone"},
		"a branch":                  {&pushcmd.Push{Refspecs: []string{"same"}}, nil, ""},
		"a branch and its upstream": {&pushcmd.Push{Refspecs: []string{"topic"}}, nil, "main topic"},
		"forward under its name":    {&pushcmd.Push{Refspecs: []string{"main"}}, nil, ""},
		"another name":              {&pushcmd.Push{Refspecs: []string{"topic:main"}}, nil, "main"},
		"another full name":         {&pushcmd.Push{Refspecs: []string{"refs/heads/topic:refs/heads/main", "main:gone"}}, nil, "main gone"},
		"HEAD":                      {&pushcmd.Push{Refspecs: []string{"HEAD:main"}}, nil, "main"},
		"HEAD alone":                {&pushcmd.Push{Refspecs: []string{"HEAD"}}, nil, "main topic"},
		"an expression":             {&pushcmd.Push{Refspecs: []string{"main~1:same"}}, nil, "same"},
		"an id":                     {&pushcmd.Push{Refspecs: []string{two + ":main", one + ":same"}}, nil, "same"},
		"no such source":            {&pushcmd.Push{Refspecs: []string{"nothing:main"}}, nil, ""},
		"forced":                    {&pushcmd.Push{Refspecs: []string{"topic:main", "topic"}, Force: true}, nil, ""},
		"one of two forced":         {&pushcmd.Push{Refspecs: []string{"+topic:main", "topic:gone"}}, nil, "gone"},
		"deleted":                   {&pushcmd.Push{Refspecs: []string{":gone", "topic:main"}}, nil, "main"},
		"one lease":                 {&pushcmd.Push{Refspecs: []string{"topic:main", "topic:gone"}, Leases: []string{"main"}}, nil, "gone"},
		"leases":                    {&pushcmd.Push{Refspecs: []string{"topic:main"}, LeaseAll: true}, nil, ""},
		"all":                       {&pushcmd.Push{Same: true}, nil, "topic"},
		"matching":                  {&pushcmd.Push{Refspecs: []string{":"}}, nil, "topic"},
		"mirror":                    {&pushcmd.Push{Same: true, Force: true}, nil, ""},
		"tags":                      {&pushcmd.Push{Tags: true}, nil, ""},
		"a pattern":                 {&pushcmd.Push{Refspecs: []string{"refs/heads/*:refs/heads/*"}}, nil, "topic"},
		"a pattern with words":      {&pushcmd.Push{Refspecs: []string{"refs/heads/to*c:refs/heads/g*e"}}, nil, ""},
		"a forced pattern":          {&pushcmd.Push{Refspecs: []string{"+refs/heads/*:refs/heads/*"}}, nil, ""},
		"a negative one":            {&pushcmd.Push{Refspecs: []string{":", "^refs/heads/x"}}, nil, "topic"},
		"nothing named":             {&pushcmd.Push{}, nil, "main topic"},
		"configured":                {&pushcmd.Push{}, [][2]string{{"remote.origin.push", "topic:main"}}, "main"},
		"configured with force":     {&pushcmd.Push{}, [][2]string{{"remote.origin.push", "+topic:main"}}, ""},
		"configured for a name":     {&pushcmd.Push{Refspecs: []string{"same"}}, [][2]string{{"remote.origin.push", "refs/heads/*:refs/heads/g*"}, {"remote.origin.push", "refs/heads/same:refs/heads/gone"}}, "gone"},
		"configured as a mirror":    {&pushcmd.Push{}, [][2]string{{"remote.origin.mirror", "true"}}, ""},
		"not a mirror":              {&pushcmd.Push{Refspecs: []string{"topic:main"}}, [][2]string{{"remote.origin.mirror", "1"}, {"remote.origin.mirror", "00"}}, "main"},
		"of another remote":         {&pushcmd.Push{Refspecs: []string{"main"}}, [][2]string{{"remote.other.mirror", "true"}, {"remote.other.push", "main:gone"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := filepath.Join(w.client, ".git", "config")
			before := readFile(t, config)
			defer writeFile(t, config, before, 0o644)
			for _, c := range test.config {
				git(t, w.client, "config", "--add", c[0], c[1])
			}
			var out bytes.Buffer
			if err := r.RewriteAdvertisement(t.Context(), test.ask, "origin", strings.NewReader(packets(t, theirs...)), &out); err != nil {
				t.Fatal(err)
			}
			adv, err := readAdvertisement(&out)
			if err != nil {
				t.Fatal(err)
			}
			var hidden []string
			for _, ref := range adv.refs {
				if name, ok := strings.CutPrefix(ref.name, headsPrefix); ok && isZero(ref.id) {
					hidden = append(hidden, name)
				}
			}
			if want := strings.Fields(test.hidden); !slices.Equal(hidden, want) {
				t.Errorf("hidden: %q, want %q", hidden, want)
			}
		})
	}
}

// The pusher's own fallback refs have no names in a push that doesn't name them.
func TestFallbackRefsAreHaveOnly(t *testing.T) {
	w := newWorld(t)
	t.Chdir(w.client)
	r, err := FromEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in := []string{idA + " refs/synced/u/main\x00caps\n", idB + " refs/synced/u/topic\n", idB + " refs/tags/synced\n", ""}
	nameless := []string{idA + " .have\x00caps\n", idB + " .have\n", idB + " refs/tags/synced\n", ""}
	for name, test := range map[string]struct {
		ask  *pushcmd.Push
		want []string
	}{
		"unknown":     {nil, in},
		"mirror":      {&pushcmd.Push{Same: true, Force: true}, nameless},
		"a branch":    {&pushcmd.Push{Refspecs: []string{"main"}}, nameless},
		"all refs":    {&pushcmd.Push{Refspecs: []string{"refs/*:refs/*"}}, nameless},
		"one deleted": {&pushcmd.Push{Refspecs: []string{"main", ":refs/synced/u/main"}}, in},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := r.RewriteAdvertisement(t.Context(), test.ask, "origin", strings.NewReader(packets(t, in...)), &out); err != nil {
				t.Fatal(err)
			}
			if want := packets(t, test.want...); out.String() != want {
				t.Errorf("got\n%q\nwant\n%q", out.String(), want)
			}
		})
	}
}
