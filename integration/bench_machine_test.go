package integration

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A benchMachine is what something was measured on.
type benchMachine struct {
	System    string `json:"system"`
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Memory    string `json:"memory"`
}

func thisMachine() benchMachine {
	return benchMachine{
		System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(),
		Processor: fieldOf("/proc/cpuinfo", "model name"), Memory: fieldOf("/proc/meminfo", "MemTotal"),
	}
}

// fieldOf is the value of the first line of a file that has a name and a colon before it; empty where there is no such file.
func fieldOf(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// loadAverage is how busy the machine is: processes that run, on average over 1, 5 and 15 minutes.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// serverVersions are those of the servers that were started, as they themselves say in their logs.
var serverVersions sync.Map // string to string

var versionLine = regexp.MustCompile(`(?i)(?:Prosody version|ejabberd) ([0-9][0-9.]*[0-9])`)

// benchServer starts a server and notes its version.
func benchServer(b *testing.B, name string, o testserver.Options) *testserver.Server {
	b.Helper()
	s := testserver.New(b, name, o)
	for _, log := range []string{s.LogFile, filepath.Join(s.Dir, "ejabberd.log")} {
		text, _ := os.ReadFile(log) // each server has one of them
		if m := versionLine.FindSubmatch(text); m != nil {
			serverVersions.Store(s.Name, string(m[1]))
		}
	}
	return s
}

// benchVersions are those of the programs that took part.
func benchVersions(b *testing.B) map[string]string {
	b.Helper()
	versions := map[string]string{"go": runtime.Version()}
	for program, args := range map[string][]string{"git": {"git", "--version"}, "ssh": {"ssh", "-V"}, "git-remote-xmpp": {filepath.Join(binDir, "git-remote-xmpp"), "version"}} {
		if out, err := exec.CommandContext(b.Context(), args[0], args[1:]...).CombinedOutput(); err == nil {
			line, _, _ := strings.Cut(string(out), "\n")
			versions[program] = strings.TrimSpace(line)
		}
	}
	serverVersions.Range(func(name, version any) bool {
		versions[name.(string)] = version.(string)
		return true
	})
	return versions
}
