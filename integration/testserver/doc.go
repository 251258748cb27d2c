// Package testserver starts real servers for tests and benchmarks: Prosody,
// ejabberd and sshd, each as a throw-away instance on free loopback ports with
// its whole state in one folder.
//
// It must not know the program under test: it imports nothing of this module,
// so that what it starts is judged by nobody but the server's own authors.
//
// A server belongs to whoever started it, who calls Stop. It runs in a process
// group of its own, without a terminal. On Linux the kernel ends it as well when
// the test binary dies without calling Stop (a panic, a timeout, SIGKILL);
// elsewhere such a server stays behind.
package testserver
