package transport

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"testing"

	"gosrc.io/xmpp/stanza"
)

// benchPair is what full packets come in: two fill a message.
const benchPair = 2

// What a packet costs from QUIC's write to the record that is written to the server.
func BenchmarkPacketToStanza(b *testing.B) {
	p, o := testPeer("bob@example.org/git-0123456789abcdef"), newOutbox()
	o.link(true)
	c := newPacketConn(p, o)
	packet, record := make([]byte, packetSize(p)), make([]byte, 0, maxMessageBytes)
	b.SetBytes(int64(len(packet)))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, err := c.WriteTo(packet, p); err != nil {
			b.Fatal(err)
		}
		if n%benchPair == benchPair-1 {
			if record = o.take(b.Context(), record); len(record) < recordBytes*3/4 {
				b.Fatalf("a record of %d bytes", len(record))
			}
		}
	}
}

// What a packet costs from what is read from the server to QUIC's read.
func BenchmarkStanzaToPacket(b *testing.B) {
	p, o := testPeer("bob@example.org/git-0123456789abcdef"), newOutbox()
	o.link(true)
	for range benchPair {
		if err := o.packet(p, make([]byte, packetSize(p))); err != nil {
			b.Fatal(err)
		}
	}
	record := o.take(b.Context(), nil)
	record = bytes.Replace(record, []byte("<message to='"), []byte("<message to='alice@example.org/git-fedcba9876543210' from='"), 1)
	in := &repeatedReader{text: record}
	s := &stream{in: &byteReader{Reader: bufio.NewReaderSize(in, readBufBytes), left: maxStanzaBytes}}
	s.dec = xml.NewDecoder(s.in)
	in.first = []byte("<stream:stream xmlns='" + stanza.NSClient + "' xmlns:stream='" + stanza.NSStream + "'>")
	root, err := s.next()
	if err != nil {
		b.Fatal(err)
	}
	s.plain = isPlain(root)
	c, payloads, buf := newPacketConn(p, o), &payloadBuffer{}, make([]byte, maxPacketBytes)
	read, from := &session{handler: &packetsTo{packetConn: c, from: p}}, &link{stream: s}
	b.SetBytes(int64(packetSize(p)))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%benchPair == 0 {
			if err := read.readStanza(from, payloads); err != nil {
				b.Fatal(err)
			}
		}
		if got, _, err := c.ReadFrom(buf); err != nil || got != int(packetSize(p)) {
			b.Fatal(got, err)
		}
	}
}

// A repeatedReader gives first, and then the same text for ever.
type repeatedReader struct {
	first, text, rest []byte
}

func (r *repeatedReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		r.rest = r.text
	}
	if len(r.first) > 0 {
		n := copy(b, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// packetsTo hands packets to QUIC, as a receiver does.
type packetsTo struct {
	handler
	*packetConn
	from *peer
}

func (t *packetsTo) packets(_ string, payload []byte) { _ = t.deliver(t.from, payload) }
