package testserver

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// orphanEnv makes the test binary start the server it names, print its process
// id and wait to be killed.
const orphanEnv = "TESTSERVER_ORPHAN"

func TestMain(m *testing.M) {
	if name := os.Getenv(orphanEnv); name != "" {
		playOrphan(name)
	}
	os.Exit(m.Run())
}

// playOrphan starts a server and never stops it. It ends when its input does.
func playOrphan(name string) {
	s, err := Start(context.Background(), name, Options{Dir: os.Getenv("TMPDIR")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.PID())
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

func TestServerDiesWithTheTestBinary(t *testing.T) {
	eachServer(t, func(t *testing.T, name string) {
		Require(t, name)
		ctx := testContext(t)
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), orphanEnv+"="+name, "TMPDIR="+t.TempDir())
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, readErr := bufio.NewReader(stdout).ReadString('\n')
		cmd.Process.Kill()
		cmd.Wait()
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("no process id: %v, %v", err, readErr)
		}
		awaitNoGroup(ctx, t, pid)
	})
}

// awaitNoGroup waits until no process is left in a group but ones that only
// wait to be reaped by whoever inherited them.
func awaitNoGroup(ctx context.Context, t *testing.T, group int) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for living(t, group) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("processes of group %d live on", group)
		}
	}
}

// living says whether a group has a process that isn't a zombie (proc(5)).
func living(t *testing.T, group int) bool {
	t.Helper()
	if syscall.Kill(-group, 0) != nil {
		return false
	}
	stats, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range stats {
		stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest) // state, parent, group, …
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "Z" {
			return true
		}
	}
	return false
}
