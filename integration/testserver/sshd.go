package testserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// sshdRunDir is where sshd run by root separates its privileges; it is compiled
// in, and usually made when the system's own sshd starts.
const sshdRunDir = "/run/sshd"

// SSHServer is a running sshd that lets in the user who started it,
// with a key of its own.
type SSHServer struct {
	Addr    string // host:port
	Port    int
	User    string // who may log in
	Command string // a value for GIT_SSH_COMMAND: ssh with this server's keys and nothing of the user's
	Dir     string // everything the server writes lies here
	LogFile string // what the server prints

	place   Place
	ownsDir bool
	proc    *process
}

// StartSSHD starts sshd at a place with its files in dir, or in a temporary folder that
// Stop removes if dir is empty, and returns when it listens. Root's sshd needs
// /run/sshd, which is made if missing and left there.
func StartSSHD(ctx context.Context, dir string, place Place) (*SSHServer, error) {
	if err := Available(SSHD); err != nil {
		return nil, fmt.Errorf("start sshd: %w", err)
	}
	me, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("start sshd: %w", err)
	}
	dir, owned, err := makeDir(dir, "sshd-")
	if err != nil {
		return nil, fmt.Errorf("start sshd: %w", err)
	}
	s := &SSHServer{User: me.Username, Dir: dir, LogFile: filepath.Join(dir, "output.log"), place: place, ownsDir: owned}
	place.in(func() { err = s.startOnFreePort(ctx) })
	if err != nil {
		err = fmt.Errorf("start sshd: %w%s", err, tail(s.LogFile))
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// URL is the address of a file on this machine as git understands it.
func (s *SSHServer) URL(path string) string {
	u := url.URL{Scheme: "ssh", User: url.User(s.User), Host: s.Addr, Path: filepath.ToSlash(path)}
	return u.String()
}

// PID returns the server's process id, or 0 if it doesn't run.
func (s *SSHServer) PID() int {
	if s.proc == nil || s.proc.exited() {
		return 0
	}
	return s.proc.pid()
}

// Stop ends the server, waits until it is gone, and removes its folder unless
// the caller named it. sshd's child for an open connection ends when the client
// closes it. Calling Stop again does nothing.
func (s *SSHServer) Stop() error {
	if s.proc != nil {
		if err := s.proc.stop(true); err != nil {
			return fmt.Errorf("stop sshd: %w", err)
		}
		s.proc = nil
	}
	if !s.ownsDir {
		return nil
	}
	return os.RemoveAll(s.Dir)
}

// startOnFreePort makes the keys and tries up to portTries ports.
func (s *SSHServer) startOnFreePort(ctx context.Context) error {
	if os.Geteuid() == 0 {
		if err := os.MkdirAll(sshdRunDir, 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"host", "client"} {
		if err := makeSSHKey(ctx, s.file(name)); err != nil {
			return err
		}
	}
	var err error
	for range portTries {
		var ports []int
		if ports, err = freePorts(s.place.host(), 1); err != nil {
			return err
		}
		if err = s.startOn(ctx, ports[0]); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// startOn runs the server on a port and returns when it listens there.
func (s *SSHServer) startOn(ctx context.Context, port int) error {
	s.Port, s.Addr = port, hostPort(s.place.host(), port)
	if err := s.writeFiles(); err != nil {
		return err
	}
	// sshd insists on being called by its absolute path (sshd(8)).
	path, err := findProgram("sshd")
	if err != nil {
		return err
	}
	logged := size(s.LogFile)
	if s.proc, err = startProcess(exec.Command(path, "-D", "-e", "-f", s.file("sshd_config")), s.LogFile, Options{Place: s.place}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return s.awaitUp(ctx, logged)
}

// awaitUp waits until the log says, past its first bytes, that the server listens.
func (s *SSHServer) awaitUp(ctx context.Context, logged int64) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	listening := fmt.Sprintf("server listening on %s port %d", s.place.host(), s.Port)
	for !strings.Contains(since(s.LogFile, logged), listening) {
		select {
		case <-s.proc.done:
			if saysPortTaken(s.LogFile, logged) {
				return errPortTaken
			}
			return fmt.Errorf("it ended by itself: %v", s.proc.err)
		case <-ctx.Done():
			return fmt.Errorf("it doesn't come up: %w", ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

// writeFiles writes the configuration and what the client needs to trust us.
func (s *SSHServer) writeFiles() error {
	hostKey, err := os.ReadFile(s.file("host.pub"))
	if err != nil {
		return err
	}
	config := strings.Join([]string{
		"Port " + strconv.Itoa(s.Port), "ListenAddress " + s.place.host(), "LogLevel INFO", "PidFile none",
		"HostKey " + sshQuote(s.file("host")), "AuthorizedKeysFile " + sshQuote(s.file("client.pub")), "StrictModes no",
		"PermitRootLogin prohibit-password", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no", "UseDNS no", "",
	}, "\n")
	if err := os.WriteFile(s.file("sshd_config"), []byte(config), 0o600); err != nil {
		return err
	}
	known := fmt.Sprintf("[%s]:%d %s", s.place.host(), s.Port, hostKey)
	if err := os.WriteFile(s.file("known_hosts"), []byte(known), 0o600); err != nil {
		return err
	}
	s.Command = strings.Join([]string{
		"ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=yes",
		"-o", shellQuote("UserKnownHostsFile=" + sshQuote(s.file("known_hosts"))), "-i", shellQuote(s.file("client")),
	}, " ")
	return nil
}

// file is the path of a file of the server's.
func (s *SSHServer) file(name string) string { return filepath.Join(s.Dir, name) }

// makeSSHKey makes an Ed25519 key pair, unless it is there already.
func makeSSHKey(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", filepath.Base(file), "-f", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make a key: %w: %s", err, out)
	}
	return nil
}

// sshQuote quotes a path for ssh's and sshd's configuration (sshd_config(5)).
func sshQuote(path string) string { return `"` + path + `"` }

// shellQuote quotes a word for the shell that git hands GIT_SSH_COMMAND to.
func shellQuote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
