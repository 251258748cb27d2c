package repo

import (
	"context"
	"strings"

	"git-remote-xmpp/internal/pushcmd"
)

// pushSpec is one refspec of a push, with both sides given (git-push(1)).
type pushSpec struct {
	src, dst string // names as a user writes them, or patterns with one `*`; both "" for `:`, branches of the same name
	// exact says that git is to see the branch as it is: it is forced, or deleted.
	exact bool
}

// namesBranch reports whether a name, short or full, is that of a branch.
func namesBranch(name, ref string) bool {
	return name == ref || "refs/"+name == ref || headsPrefix+name == ref
}

// sourceFor returns what a refspec pushes to a branch, given by its full name.
func (s pushSpec) sourceFor(ref string) (src string, ok bool) {
	if s.dst == "" {
		return ref, true
	}
	before, after, pattern := strings.Cut(s.dst, "*")
	if !pattern {
		return s.src, namesBranch(s.dst, ref)
	}
	star, ok := strings.CutPrefix(ref, before)
	if ok {
		star, ok = strings.CutSuffix(star, after)
	}
	return strings.Replace(s.src, "*", star, 1), ok
}

// pushSpecs returns the refspecs that a push will use, or may use: one too many does no harm.
func (r *Repo) pushSpecs(ctx context.Context, ask *pushcmd.Push, remote string) ([]pushSpec, error) {
	same := pushSpec{exact: ask.Force}
	c, err := r.pushConfig(ctx, remote)
	if err != nil {
		return nil, err
	}
	switch {
	case c.mirror:
		return []pushSpec{{exact: true}}, nil
	case len(ask.Refspecs) > 0:
		return c.read(ask.Refspecs, ask.Force), nil
	case ask.Same:
		return []pushSpec{same}, nil
	case ask.Tags:
		return nil, nil
	case len(c.push) > 0:
		return c.read(c.push, ask.Force), nil
	}
	return append(c.read([]string{"HEAD"}, ask.Force), same), nil
}

// pushConfig is what git's configuration says about pushes to a remote.
type pushConfig struct {
	push   []string          // remote.<name>.push
	mirror bool              // remote.<name>.mirror
	merge  map[string]string // branch.<name>.merge by the branch's name
	head   string            // the branch we are on; "" if HEAD is detached
}

func (r *Repo) pushConfig(ctx context.Context, remote string) (*pushConfig, error) {
	c := &pushConfig{merge: make(map[string]string)}
	out, err := r.git(ctx, nil, "config", "-z", "--get-regexp", `^(remote\..*\.(push|mirror)|branch\..*\.merge)$`)
	if err != nil && exitStatus(err) != 1 {
		return nil, err
	}
	mirror := "remote." + remote + ".mirror"
	for entry := range strings.SplitSeq(out, "\x00") {
		key, value, _ := strings.Cut(entry, "\n")
		switch key {
		case "remote." + remote + ".push":
			c.push = append(c.push, value)
		case mirror:
			if c.mirror, err = r.configBool(ctx, mirror); err != nil {
				return nil, err
			}
		}
		if branch, ok := strings.CutPrefix(key, "branch."); ok {
			c.merge[strings.TrimSuffix(branch, ".merge")] = value
		}
	}
	head, err := r.git(ctx, nil, "symbolic-ref", "-q", "--short", "HEAD")
	if err != nil && exitStatus(err) != 1 {
		return nil, err
	}
	c.head = strings.TrimSpace(head)
	return c, nil
}

// read takes refspecs apart and gives those without a destination all that git may give them:
// their own name, what remote.<name>.push says, and the branch's upstream (push.default).
func (c *pushConfig) read(refspecs []string, force bool) []pushSpec {
	var specs []pushSpec
	for _, text := range refspecs {
		text, plus := strings.CutPrefix(text, "+")
		src, dst, hasDst := strings.Cut(text, ":")
		exact := force || plus
		switch {
		case strings.HasPrefix(text, "^"): // leaves refs out
		case text == ":":
			specs = append(specs, pushSpec{exact: exact})
		case src == "":
			specs = append(specs, pushSpec{dst: dst, exact: true})
		case hasDst:
			specs = append(specs, pushSpec{src, dst, exact})
		default:
			specs = append(specs, c.destinations(src, exact)...)
		}
	}
	return specs
}

func (c *pushConfig) destinations(src string, exact bool) []pushSpec {
	if src == "HEAD" || src == "@" {
		src = c.head
	}
	if src == "" {
		return nil
	}
	specs := []pushSpec{{src, src, exact}}
	branch := strings.TrimPrefix(strings.TrimPrefix(src, "refs/"), "heads/")
	if upstream := c.merge[branch]; upstream != "" {
		specs = append(specs, pushSpec{src, upstream, exact})
	}
	for _, text := range c.push {
		text, plus := strings.CutPrefix(text, "+")
		from, to, ok := strings.Cut(text, ":")
		if !ok || from == "" {
			continue
		}
		// Which branch it sends to which is the inverse of what sourceFor tells.
		if dst, ok := (pushSpec{src: to, dst: from}).sourceFor(headsPrefix + branch); ok {
			specs = append(specs, pushSpec{src, dst, exact || plus})
		}
	}
	return specs
}
