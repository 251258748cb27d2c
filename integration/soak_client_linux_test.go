package integration

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// soakKillWithin is the latest moment of a command at which it is killed. Most take less.
	soakKillWithin = 500 * time.Millisecond
	// soakSlow is how long a command may take before it is worth a line, soakMost how long at most: nothing waits longer than for some that were killed.
	soakSlow = 8 * time.Second
	soakMost = 40 * time.Second
)

// A victim is what is killed of a command: git, the helper, or both with all that they have started.
type victim int

const (
	gitAlone victim = iota
	helperAlone
	both
	victims
)

// A fault is what befalls a command. The zero value is none.
type fault struct {
	after  time.Duration
	victim victim
}

// A soakClient is a clone. One command at a time runs in it.
type soakClient struct {
	*soak
	home   *home
	repo   *soakRepo
	dir    string
	branch string // of its own
	n      int    // commits
	told   []promise
}

// A promise is what a client was told: the commit is on the branch there, or in its fallback ref.
type promise struct{ commit, branch string }

// act does something at random. The error says what went wrong that mustn't.
func (c *soakClient) act(random *rand.Rand) error {
	var f fault
	if random.IntN(8) == 0 {
		f = fault{1 + time.Duration(random.Int64N(int64(soakKillWithin))), victim(random.IntN(int(victims)))}
	}
	switch n := random.IntN(10); {
	case n < 3:
		return c.push(c.branch, f)
	case n < 7:
		return c.push("main", f)
	default:
		return c.fetch(f, random.IntN(2) == 0)
	}
}

// commit makes a commit, with no git more than it takes.
func (c *soakClient) commit() (string, error) {
	c.n++
	if err := os.WriteFile(filepath.Join(c.dir, c.branch+".txt"), fmt.Appendf(nil, "%d\n", c.n), 0o600); err != nil {
		return "", err
	}
	for _, args := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--message", fmt.Sprintf("%s %d", c.branch, c.n)}} {
		if r := c.home.try(c.dir, "git", args...); r.status != 0 {
			return "", fmt.Errorf("git %v: %v", args, r)
		}
	}
	r := c.home.try(c.dir, "git", "rev-parse", "HEAD")
	if r.status != 0 {
		return "", fmt.Errorf("git rev-parse: %v", r)
	}
	return strings.TrimSpace(r.stdout), nil
}

// push commits and pushes to a branch.
func (c *soakClient) push(branch string, f fault) error {
	commit, err := c.commit()
	if err != nil {
		return err
	}
	r, killed, err := c.run(f, "push", "origin", "HEAD:refs/heads/"+branch)
	switch {
	case err != nil || killed:
		return err
	case r.status == 0:
		c.told = append(c.told, promise{commit, branch})
		c.count("push")
		if strings.Contains(r.stderr, "refs/synced/") {
			c.count("fallback")
		}
		return nil
	case c.repo.direct && branch == "main" && strings.Contains(r.stderr, "rejected"):
		c.count("rejected") // as git does it
		return nil
	default:
		return fmt.Errorf("push to %s: %v", branch, r)
	}
}

// fetch fetches, and merges what others have pushed if asked to.
func (c *soakClient) fetch(f fault, merge bool) error {
	r, killed, err := c.run(f, "fetch", "origin")
	switch {
	case err != nil || killed:
		return err
	case r.status != 0:
		return fmt.Errorf("fetch: %v", r)
	}
	c.count("fetch")
	if !merge {
		return nil
	}
	if r := c.home.try(c.dir, "git", "merge", "--quiet", "--no-edit", "origin/main"); r.status != 0 {
		return fmt.Errorf("merge: %v", r)
	}
	c.count("merge")
	return nil
}

// run runs git, and tells whether it was killed.
func (c *soakClient) run(f fault, args ...string) (r result, killed bool, err error) {
	began := time.Now()
	s := c.home.start(c.T, c.dir, args...)
	var shot <-chan time.Time
	if f.after > 0 {
		shot = time.After(f.after)
	}
	end := time.After(soakMost)
	for running := true; running; {
		select {
		case <-s.ended:
			running = false
		case <-shot:
			killed = c.shoot(s.cmd.Process.Pid, f.victim)
		case <-end:
			list := c.bob.processes()
			_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // ours
			<-s.ended
			return r, killed, fmt.Errorf("git %v doesn't end: %s; Bob's processes: %v", args, &s.stderr, list)
		}
	}
	if killed {
		c.count("killed")
		return r, true, c.recover(s.cmd.Process.Pid)
	}
	if took := time.Since(began); took > soakSlow {
		c.Logf("%s: git %v took %v: %s", c.branch, args, took.Round(time.Millisecond), &s.stderr)
	}
	c.mu.Lock()
	c.slowest = max(c.slowest, time.Since(began))
	c.mu.Unlock()
	return result{status: s.cmd.ProcessState.ExitCode(), stderr: s.stderr.String()}, false, nil
}

// shoot kills, and tells whether there was something to kill.
func (c *soakClient) shoot(group int, v victim) bool {
	pid := group
	switch v {
	case both:
		pid = -group
	case helperAlone:
		pid = 0
		for member, name := range members(group) {
			if name == "git-remote-xmpp" {
				pid = member
			}
		}
	}
	return pid != 0 && syscall.Kill(pid, syscall.SIGKILL) == nil
}

// recover waits until those of a killed command's group have all ended, and takes away the locks that git has left in the clone: it leaves that to people.
func (c *soakClient) recover(group int) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for end := time.After(deadline); len(members(group)) > 0; {
		select {
		case <-ticker.C:
		case <-end:
			return fmt.Errorf("after a kill these don't end: %v", members(group))
		}
	}
	var errs []error
	for _, path := range remains(c.T, filepath.Join(c.dir, ".git")) {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// members are the living processes of a group, with their names.
func members(group int) map[int]string {
	found := make(map[int]string)
	list, _ := filepath.Glob("/proc/[0-9]*/stat") // fails for a bad pattern only
	for _, file := range list {
		stat, _ := os.ReadFile(file) // gone: no member
		open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if open < 0 || end < 0 {
			continue
		}
		fields := strings.Fields(string(stat[end+1:])) // state, parent, group
		if len(fields) < 3 || fields[0] == "Z" || fields[2] != strconv.Itoa(group) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file))) // digits, by the pattern
		found[pid] = string(stat[open+1 : end])
	}
	return found
}
