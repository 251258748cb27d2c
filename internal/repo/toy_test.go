package repo

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"git-remote-xmpp/internal/pushcmd"
	"git-remote-xmpp/internal/refname"
)

// toyHelper serves one `connect` for the repository at path.
func toyHelper(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if file := os.Getenv("TOY_PID_FILE"); file != "" {
		if err := os.WriteFile(file, fmt.Append(nil, os.Getpid()), 0o600); err != nil {
			return err
		}
	}
	service, stdin, err := toyHandshake(bufio.NewReaderSize(os.Stdin, 1<<16))
	if err != nil || service == "" {
		return err
	}
	local, err := FromEnv(ctx)
	if err != nil {
		return err
	}
	remote, err := Open(ctx, path)
	if err != nil {
		return err
	}
	refs, err := refname.ParsePatterns(os.Getenv("TOY_REFS"))
	if err != nil {
		return err
	}
	told := os.Getenv("TOY_TOLD")
	policy := Policy{os.Getenv("TOY_MODE"), os.Getenv("TOY_INTEGRATE"), os.Getenv("TOY_MERGES") != "", refs, told != ""}
	sender := Sender{testJID, os.Getenv("TOY_UUID"), testKey, os.Getenv("TOY_LABEL")}
	version, err := strconv.Atoi(cmp.Or(os.Getenv("TOY_VERSION"), "2"))
	if err != nil {
		return err
	}
	cmd, err := remote.Command(ctx, Service(service), version, sender, policy, HooksDir(os.Getenv("TOY_DATA")))
	if err != nil {
		return err
	}
	record := RecordOf(cmd)
	defer record.Remove()
	err = toyCopy(ctx, cmd, local, stdin, service == string(ReceivePack) && policy.Mode != ModeDirect && os.Getenv("TOY_PLAIN") == "")
	if err == nil && !record.Empty() {
		err = toyTell(ctx, remote, sender, record, told)
	}
	return err
}

// toyTell does what follows a push that has changed something: the hook, and a file with what is told.
func toyTell(ctx context.Context, remote *Repo, sender Sender, record Record, file string) error {
	if err := remote.PostReceive(ctx, sender, record, os.Stderr); err != nil || file == "" {
		return err
	}
	changes, more, err := remote.Changes(ctx, record, 2)
	if err != nil {
		return err
	}
	return os.WriteFile(file, fmt.Appendf(nil, "%+v %d", changes, more), 0o600)
}

// toyHandshake answers git's commands up to `connect`.
func toyHandshake(in *bufio.Reader) (service string, rest io.Reader, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", nil, err
		}
		line = strings.TrimSpace(line)
		name, connect := strings.CutPrefix(line, "connect ")
		switch {
		case line == "":
			return "", nil, nil
		case line == "capabilities":
			fmt.Print("connect\noption\n\n")
		case strings.HasPrefix(line, "option"):
			fmt.Print("ok\n")
		case connect:
			fmt.Print("\n")
			return name, in, nil
		default:
			return "", nil, fmt.Errorf("unknown command %q", line)
		}
	}
}

func toyCopy(ctx context.Context, cmd *exec.Cmd, local *Repo, stdin io.Reader, rewrite bool) error {
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { // ends with the process
		_, _ = io.Copy(in, stdin)
		in.Close()
	}()
	if rewrite {
		err = local.RewriteAdvertisement(ctx, pushcmd.Find(ctx), os.Args[1], out, os.Stdout)
	}
	if err == nil {
		_, err = io.Copy(os.Stdout, out)
	}
	err = errors.Join(err, cmd.Wait())
	if ctx.Err() != nil {
		err = errors.Join(err, KillGroup(cmd))
	}
	return err
}
