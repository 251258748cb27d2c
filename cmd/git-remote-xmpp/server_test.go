package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serverDeadline bounds every wait for a server.
const serverDeadline = 30 * time.Second

// runEmbedded runs server in this process until the test's function has returned, and returns what server did and said.
func runEmbedded(t *testing.T, test func(addr string), args ...string) (stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), serverDeadline)
	defer cancel()
	out, in := io.Pipe()
	var errs bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, stdio{strings.NewReader(""), in, &errs}, append([]string{"server"}, args...))
		_ = in.Close() // never fails
		ended <- err
	}()
	line, _ := bufio.NewReader(out).ReadString('\n') // "" if it ends without one
	if addr, ok := strings.CutPrefix(strings.TrimSpace(line), "ready "); ok {
		test(addr)
	}
	cancel()
	err = <-ended
	return errs.String(), err
}

// greeted opens a stream over TLS with a server that caFile vouches for, and returns its certificate.
func greeted(t *testing.T, addr, caFile, domain string) *x509.Certificate {
	t.Helper()
	pem, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) || bytes.Contains(pem, []byte("PRIVATE")) {
		t.Fatalf("%s isn't just a certificate", caFile)
	}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: serverDeadline}, Config: &tls.Config{RootCAs: roots, ServerName: domain, NextProtos: []string{"xmpp-client"}}}
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(serverDeadline)); err != nil {
		t.Fatal(err)
	}
	hello := "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" + domain + "'>"
	if _, err := io.WriteString(conn, hello); err != nil {
		t.Fatal(err)
	}
	if answer, err := bufio.NewReader(conn).ReadString('>'); err != nil || !strings.Contains(answer, "<") {
		t.Errorf("the server answers %q, %v", answer, err)
	}
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// The certificate is made once, kept private, and named on stderr.
func TestServerKeepsItsCertificate(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_DATA_HOME", "")
	dir := filepath.Join(home, ".local", "share", "git-remote-xmpp", "server")
	serials := make(map[string]bool)
	for _, domain := range []string{"localhost", "nas.lan", "localhost"} {
		file := filepath.Join(dir, "cert-"+domain+".pem")
		called := false
		stderr, err := runEmbedded(t, func(addr string) {
			called = true
			serials[greeted(t, addr, file, domain).SerialNumber.String()] = true
		}, "--listen", "127.0.0.1:0", "--domain", strings.ToUpper(domain), "--account", "alice:a:b", "--account", "bob:secret")
		if err != nil || !called || !strings.Contains(stderr, "git config --global xmpp.sslCAInfo "+file+"\n") || strings.Contains(stderr, "secret") {
			t.Errorf("%s: %v; %s", domain, err, stderr)
		}
	}
	if len(serials) != 2 {
		t.Errorf("%d certificates for two domains", len(serials))
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if info, _ := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestServerReadsAccountsFromAFile(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "accounts")
	if err := os.WriteFile(file, []byte("alice:one two\r\n\nbob::\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := serverFlags{listen: "127.0.0.1:0", domain: "localhost", accountsFile: file, accounts: []string{"carol:three"}}.config()
	if err != nil || len(cfg.Accounts) != 3 || cfg.Accounts["alice"] != "one two" || cfg.Accounts["bob"] != ":" || cfg.Accounts["carol"] != "three" {
		t.Errorf("%v, %v", cfg.Accounts, err)
	}
	if runtime.GOOS == "windows" {
		return // no mode bits there
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err = runEmbedded(t, nil, "--listen", "127.0.0.1:0", "--accounts-file", file)
	if exitStatus(err) != exitUsage || !strings.Contains(err.Error(), "chmod 600 "+file) {
		t.Errorf("a file that others can read: %v", err)
	}
}

// Each is one line, exit status 2, and doesn't show a password.
func TestServerWrongUsage(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, args := range [][]string{
		{},
		{"--account", "alice:secret"},
		{"--listen", "127.0.0.1:0"},
		{"--listen", "127.0.0.1", "--account", "alice:secret"},
		{"--listen", "127.0.0.1:0", "--account", "secret"},
		{"--listen", "127.0.0.1:0", "--account", ":secret"},
		{"--listen", "127.0.0.1:0", "--account", "alice:"},
		{"--listen", "127.0.0.1:0", "--account", "al ice:secret"},
		{"--listen", "127.0.0.1:0", "--account", "alice:secret", "--account", "alice:secret"},
		{"--listen", "127.0.0.1:0", "--account", "alice:secret", "--account", "ALICE:secret"},
		{"--listen", "127.0.0.1:0", "--account", "alice:secret", "--domain", "../x"},
		{"--listen", "127.0.0.1:0", "--account", "alice:secret", "--domain", ""},
		{"--listen", "127.0.0.1:0", "--account", "alice:secret", "extra"},
		{"--listen", "127.0.0.1:0", "--accounts-file", filepath.Join(t.TempDir(), "none")},
		{"--listen", "127.0.0.1:0", "--accounts-file", t.TempDir()},
		{"--nonsense"},
	} {
		_, err := runEmbedded(t, func(string) { t.Errorf("%q: it runs", args) }, args...)
		var said bytes.Buffer
		report(&said, err)
		if exitStatus(err) != exitUsage || strings.Count(said.String(), "\n") != 1 || strings.Contains(said.String(), "secret") {
			t.Errorf("%q: exit status %d, says %q", args, exitStatus(err), &said)
		}
	}
}

func TestServerPortTaken(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = runEmbedded(t, nil, "--listen", taken.Addr().String(), "--account", "alice:secret")
	if exitStatus(err) != exitRefused || !strings.Contains(err.Error(), "listen tcp "+taken.Addr().String()+": ") {
		t.Errorf("exit status %d: %v", exitStatus(err), err)
	}
}

func TestServerEndsBySignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process can't be interrupted alone there")
	}
	program := filepath.Join(t.TempDir(), "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		ctx, cancel := context.WithTimeout(t.Context(), serverDeadline)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, "server", "--listen", "127.0.0.1:0", "--account", "alice:secret")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(stdout).ReadString('\n') // "" if it ends without one
		if !strings.HasPrefix(line, "ready 127.0.0.1:") {
			t.Errorf("it says %q", line)
		}
		if err := errors.Join(cmd.Process.Signal(signal), cmd.Wait()); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
	}
}
