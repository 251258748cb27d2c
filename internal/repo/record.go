package repo

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	// recordPattern is what files of records are called.
	recordPattern = ".push-*"
	// MaxCounted is the most that Change.Commits and Change.Lost come to together: more isn't counted.
	MaxCounted = 1000
)

// A Record is where the hooks of a push write down what it has changed, in the lines of post-receive. The zero value is that of a
// push that nobody wants to be told of.
type Record struct{ file string }

// RecordOf is the record of a command from [Repo.Command], which goes with [Record.Remove].
func RecordOf(cmd *exec.Cmd) Record {
	for _, kv := range cmd.Env {
		if file, ok := strings.CutPrefix(kv, envRecord+"="); ok {
			return Record{file}
		}
	}
	return Record{}
}

// Empty reports whether nothing was changed that somebody wants to be told of.
func (r Record) Empty() bool {
	if r.file == "" {
		return true
	}
	info, err := os.Stat(r.file)
	return err != nil || info.Size() == 0
}

// Remove removes the record.
func (r Record) Remove() {
	if r.file != "" {
		_ = os.Remove(r.file) // otherwise [HooksDir.Tidy] does
	}
}

func (r Record) open() (*os.File, error) {
	f, err := os.Open(r.file)
	return f, pathless(err)
}

// newRecord makes the file of a record.
func (h HooksDir) newRecord() (string, error) {
	base, err := h.base()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(base, recordPattern)
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// Tidy removes records that were left behind by a process that was killed. No push may run.
func (h HooksDir) Tidy() error {
	base, err := h.base()
	if err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(base, recordPattern))
	for _, file := range left {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// writeRecord writes the lines into a record's file, if there is one.
func writeRecord(file, lines string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return pathless(err)
	}
	_, err = f.WriteString(lines)
	return pathless(errors.Join(err, f.Close()))
}

// pathless is an error without the path of a file of ours.
func pathless(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}

// A Change is what a push has done to one ref.
type Change struct {
	Ref     string
	Created bool
	Deleted bool
	Waits   string // the branch that it is a fallback ref for
	Commits int    // that came to it, if it isn't created, or that its branch hasn't
	Lost    int    // that went from it, or that its branch has and it hasn't
	Subject string // of the commit that it has now
}

// Changes tells the first so many changes of a push, and how many more there are. What git can't tell of them is left out.
func (r *Repo) Changes(ctx context.Context, record Record, most int) (changes []Change, more int, err error) {
	f, err := record.open()
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, maxHookLineBytes)
	for scanner.Scan() {
		if len(changes) == most {
			more++
			continue
		}
		c, err := parseCommand(scanner.Text())
		if err != nil {
			return nil, 0, err
		}
		changes = append(changes, r.describeChange(ctx, c))
	}
	return changes, more, scanner.Err()
}

func (r *Repo) describeChange(ctx context.Context, c command) Change {
	change := Change{Ref: c.ref, Created: isZero(c.old), Deleted: isZero(c.new)}
	if change.Deleted {
		return change
	}
	if out, err := r.git(ctx, nil, "rev-list", "--max-count=1", "--encoding=UTF-8", "--format=%s", c.new, "--"); err == nil {
		_, subject, _ := strings.Cut(out, "\n") // behind a line with the id
		change.Subject = strings.TrimSuffix(subject, "\n")
	}
	before := c.old
	switch f, ok := parseFallback(c.ref, c.new); {
	case ok:
		change.Waits, before = f.Branch, headsPrefix+f.Branch
	case change.Created:
		return change
	}
	out, err := r.git(ctx, nil, "rev-list", "--left-right", "--count", "--max-count="+strconv.Itoa(MaxCounted), before+"..."+c.new, "--")
	if f := strings.Fields(out); err == nil && len(f) == 2 {
		change.Lost, _ = strconv.Atoi(f[0]) // what git prints is a number
		change.Commits, _ = strconv.Atoi(f[1])
	}
	return change
}
