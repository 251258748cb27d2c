package chunk_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"git-remote-xmpp/chunk"
)

func split(t *testing.T, payload []byte) [][]byte {
	t.Helper()
	var got [][]byte
	if err := chunk.Split(payload, func(d []byte) { got = append(got, bytes.Clone(d)) }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestGoldenBytes(t *testing.T) {
	payload := chunk.Append(nil, []byte("ab"))
	payload = chunk.Append(payload, []byte("c"))
	if want := []byte("\x00\x02ab\x00\x01c"); !bytes.Equal(payload, want) {
		t.Fatalf("payload %x, want %x", payload, want)
	}
	got := split(t, payload)
	if len(got) != 2 || string(got[0]) != "ab" || string(got[1]) != "c" {
		t.Fatalf("datagrams %q", got)
	}
	if before := chunk.Prepend(chunk.Append(nil, []byte("c")), []byte("ab")); !bytes.Equal(before, payload) {
		t.Fatalf("payload %x, want %x", before, payload)
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		have, n, limit int
		want           bool
	}{
		{0, 1452, 2910, true},
		{1454, 1452, 2908, true},
		{1454, 1452, 2907, false},
		{0, chunk.MaxDatagramBytes, 1 << 20, true},
		{0, chunk.MaxDatagramBytes + 1, 1 << 20, false},
		{1, chunk.MaxDatagramBytes, 1 << 20, false},
		{0, 0, 4096, false},
	} {
		if got := chunk.Fits(c.have, c.n, c.limit); got != c.want {
			t.Errorf("Fits(%d, %d, %d) = %v", c.have, c.n, c.limit, got)
		}
	}
}

// A full payload has to leave room for an envelope in a stanza of 8,192 bytes.
func TestFullPayloadFitsStanza(t *testing.T) {
	if n := base64.StdEncoding.EncodedLen(chunk.MaxPayloadBytes); n != 5464 {
		t.Fatalf("a full payload is %d bytes of base64", n)
	}
}

func TestMalformed(t *testing.T) {
	for name, payload := range map[string][]byte{
		"empty":               {},
		"one byte":            {0},
		"length alone":        {0, 1},
		"cut off":             {0, 3, 'a', 'b'},
		"empty datagram":      {0, 0},
		"second one cut off":  {0, 1, 'a', 0, 2, 'b'},
		"trailing byte":       {0, 1, 'a', 0},
		"longer than allowed": make([]byte, chunk.MaxPayloadBytes+1),
	} {
		err := chunk.Split(payload, func([]byte) { t.Errorf("%s: a datagram came out", name) })
		if !errors.Is(err, chunk.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAppendPanicsOnImpossibleDatagram(t *testing.T) {
	for _, n := range []int{0, chunk.MaxDatagramBytes + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for %d bytes", n)
				}
			}()
			chunk.Append(nil, make([]byte, n))
		}()
	}
}

// What Split accepts, Append makes again byte for byte: there is one encoding.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("\x00\x02ab\x00\x01c"))
	f.Add([]byte{0, 0})
	f.Add([]byte{0xff, 0xff, 1})
	f.Add(chunk.Append(nil, make([]byte, chunk.MaxDatagramBytes)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var again []byte
		err := chunk.Split(payload, func(d []byte) {
			if !chunk.Fits(len(again), len(d), chunk.MaxPayloadBytes) {
				t.Fatalf("datagram of %d bytes after %d doesn't fit", len(d), len(again))
			}
			again = chunk.Append(again, d)
		})
		if err != nil {
			if !errors.Is(err, chunk.ErrMalformed) || again != nil {
				t.Fatalf("%v after %d bytes", err, len(again))
			}
			return
		}
		if !bytes.Equal(again, payload) {
			t.Fatalf("accepted %x, encodes to %x", payload, again)
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	payload := chunk.Append(chunk.Append(nil, make([]byte, 1452)), make([]byte, 1452))
	b.ReportAllocs()
	for b.Loop() {
		if err := chunk.Split(payload, func([]byte) {}); err != nil {
			b.Fatal(err)
		}
	}
}
