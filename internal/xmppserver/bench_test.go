package xmppserver

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkRouting sends messages of 4 kB from one client to another, TLS and
// both clients in the same process.
func BenchmarkRouting(b *testing.B) {
	s := serve(b, nil)
	alice, bob := join(b, s, "alice", "a"), join(b, s, "bob", "b")
	head := fmt.Sprintf("<message type='headline' to='%s' id='1'><x xmlns='urn:x'>", bob.jid)
	const tail = "</x></message>"
	stanza := []byte(head + strings.Repeat("A", 4096-len(head)-len(tail)) + tail)
	received := len(stanza) + len(alice.jid) + len(" from=''")
	b.SetBytes(int64(len(stanza)))
	b.ResetTimer()
	sent := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < b.N && err == nil; i++ {
			_, err = alice.conn.Write(stanza)
		}
		sent <- err
	}()
	if _, err := io.CopyN(io.Discard, bob.conn, int64(received)*int64(b.N)); err != nil {
		b.Fatal(err)
	}
	if err := <-sent; err != nil {
		b.Fatal(err)
	}
}

// BenchmarkScanner is the scanner alone.
func BenchmarkScanner(b *testing.B) {
	stanza := []byte("<message to='bob@localhost/b'><x xmlns='urn:x'>" + strings.Repeat("A", 4000) + "</x></message>")
	in := bytes.Repeat(stanza, 1000)
	b.SetBytes(int64(len(stanza)))
	left := 0
	var scan *scanner
	for b.Loop() {
		if left == 0 {
			scan, left = newScanner(bufio.NewReaderSize(bytes.NewReader(in), readBufferBytes), defaultMaxStanzaBytes), 1000
		}
		left--
		if _, err := scan.next(); err != nil {
			b.Fatal(err)
		}
	}
}
