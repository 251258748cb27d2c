package transport

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"gosrc.io/xmpp/stanza"
)

const streamStart = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

// incoming is a stream on text, its root read.
func incoming(t testing.TB, text string) *stream {
	t.Helper()
	s := &stream{in: &byteReader{Reader: bufio.NewReaderSize(iotest.HalfReader(strings.NewReader(streamStart+text)), readBufBytes)}}
	s.dec = xml.NewDecoder(s.in)
	root, err := s.next()
	if err != nil || root.Name.Space != stanza.NSStream {
		t.Fatalf("%v, %v", root, err)
	}
	s.plain = isPlain(root)
	return s
}

// payloads reads the stanzas of a stream to its end and returns those that a session would take for packets.
func payloads(s *stream) (got []string, err error) {
	buf := &payloadBuffer{}
	for {
		start, err := s.next()
		if err != nil {
			return got, err
		}
		if start.Name != (xml.Name{Space: stanza.NSClient, Local: "message"}) {
			if err := s.skip(); err != nil {
				return got, err
			}
			continue
		}
		m, err := s.readMessage(start, buf)
		if err != nil {
			return got, err
		}
		for _, payload := range m.payloads {
			if m.kind == "headline" {
				got = append(got, string(payload))
			}
		}
	}
}

func TestOnlyRealPayloadsCount(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte("packet"))
	p := "<p xmlns='" + NS + "'>" + encoded + "</p>"
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"plain":               {"<message type='headline'>" + p + "</message>", 1},
		"other children":      {"<message type='headline'><x xmlns='y'><z/></x>" + p + "<no-store xmlns='urn:xmpp:hints'/></message>", 1},
		"chat":                {"<message type='chat'>" + p + "</message>", 0},
		"no type":             {"<message>" + p + "</message>", 0},
		"wrapped":             {"<message type='headline'><x xmlns='y'>" + p + "</x></message>", 0},
		"forwarded":           {"<message type='headline'><sent xmlns='urn:xmpp:carbons:2'><message xmlns='jabber:client' type='headline'>" + p + "</message></sent></message>", 0},
		"other namespace":     {"<message type='headline'><p xmlns='y'>" + encoded + "</p></message>", 0},
		"inherited namespace": {"<message type='headline'><p>" + encoded + "</p></message>", 0},
		"other message":       {"<message xmlns='y' type='headline'>" + p + "</message>", 0},
		"element inside":      {"<message type='headline'><p xmlns='" + NS + "'><b/>" + encoded + "</p></message>", 0},
		"two halves":          {"<message type='headline'><p xmlns='" + NS + "'>" + encoded[:4] + "<b/>" + encoded[4:] + "</p></message>", 0},
		"not base64":          {"<message type='headline'><p xmlns='" + NS + "'>%%%%</p></message>", 0},
		"empty":               {"<message type='headline'><p xmlns='" + NS + "'/></message>", 0},
		"two":                 {"<message type='headline'>" + p + p + "</message>", 2},
		"three":               {"<message type='headline'>" + p + p + p + "</message>", 2},
		"an empty tag first":  {"<message type='headline'><p xmlns='" + NS + "'/>" + p + "</message>", 1},
		"entity":              {"<message type='headline'><p xmlns='" + NS + "'>cGFja2V&#48;</p></message>", 0},
		"cdata":               {"<message type='headline'><p xmlns='" + NS + "'><![CDATA[cGFja2V0]]></p>" + p + "</message>", 1},
		"comment inside":      {"<message type='headline'><p xmlns='" + NS + "'>" + encoded + "<!-- x --></p>" + p + "</message>", 1},
		"longer than buffers": {"<message type='headline'><p xmlns='" + NS + "'>" + strings.Repeat("AAAA", 20_000) + "</p>" + p + "</message>", 1},
		"a bad one first":     {"<message type='headline'><p xmlns='" + NS + "'>%</p>" + p + "</message>", 1},
		"too long":            {"<message type='headline'><p xmlns='" + NS + "'>" + strings.Repeat("AAAA", 4000) + "</p></message>", 0},
		"spaces between":      {"  \n <message type='headline'>" + p + "</message>  <message type='headline'>" + p + "</message>", 2},
	} {
		got, err := payloads(incoming(t, c.text+"</stream:stream>"))
		if !errors.Is(err, errStreamEnd) || len(got) != c.want {
			t.Errorf("%s: %q, %v; want %d", name, got, err, c.want)
		}
		for _, payload := range got {
			if payload != "packet" {
				t.Errorf("%s: %q", name, payload)
			}
		}
	}
}

func TestStreamEnds(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"close":          {"</stream:stream>", errStreamEnd},
		"cut":            {"<message>", io.ErrUnexpectedEOF},
		"comment":        {"<!-- x -->", errRestrictedXML},
		"dtd":            {"<!DOCTYPE x>", errRestrictedXML},
		"instruction":    {"<?php x?>", errRestrictedXML},
		"text":           {"hello", errRestrictedXML},
		"stanza size":    {"<message>" + strings.Repeat("x", maxStanzaBytes) + "</message>", errStanzaSize},
		"attribute size": {"<message a='" + strings.Repeat("x", maxStanzaBytes) + "'/>", errStanzaSize},
	} {
		_, err := payloads(incoming(t, c.text))
		var syntax *xml.SyntaxError
		if name == "cut" && errors.As(err, &syntax) {
			continue
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	_, err := payloads(incoming(t, "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>new\nlogin</text></stream:error>"))
	var se *streamError
	if !errors.As(err, &se) || se.condition != "conflict" || !strings.HasPrefix(err.Error(), "the server closed the stream: conflict (new login): ") {
		t.Errorf("%v", err)
	}
}

// Many stanzas, of more bytes than one may have, are no problem.
func TestLimitIsPerStanza(t *testing.T) {
	one := "<message type='headline'><x>" + strings.Repeat("x", 10_000) + "</x></message> "
	if _, err := payloads(incoming(t, strings.Repeat(one, 2*maxStanzaBytes/len(one))+"</stream:stream>")); !errors.Is(err, errStreamEnd) {
		t.Error(err)
	}
}

// Whatever a server sends, reading ends, and what counts as a payload is base64 of a direct child.
func FuzzStream(f *testing.F) {
	f.Add("<message type='headline' from='a@b/c'><p xmlns='" + NS + "'>cGFja2V0</p></message></stream:stream>")
	f.Add("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq><presence from='a@b/c' type='unavailable'/>")
	f.Add("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>")
	f.Add("<message type='headline'><p xmlns='" + NS + "'><![CDATA[cGFja2V0]]></p></message>")
	f.Fuzz(func(t *testing.T, text string) {
		s := &stream{in: &byteReader{Reader: bufio.NewReaderSize(strings.NewReader(text), readBufBytes)}}
		s.dec = xml.NewDecoder(s.in)
		got, err := payloads(s)
		if err == nil {
			t.Fatal("reading goes on")
		}
		for _, payload := range got {
			if len(payload) == 0 || len(payload) > maxMessageBytes {
				t.Fatalf("a payload of %d bytes", len(payload))
			}
		}
	})
}

// What we send, we read.
func FuzzMessage(f *testing.F) {
	f.Add("bob@example.org/git-1", []byte("packet"))
	f.Add("b'<&>\"@example.org/r", bytes.Repeat([]byte{0xff}, 2900))
	f.Fuzz(func(t *testing.T, resource string, payload []byte) {
		full, err := testPeer("bob@example.org/r").jid.WithResource(resource)
		if err != nil || resource == "" || len(payload) == 0 || len(payload) > 4096 {
			return
		}
		p := newPeer(full)
		message := append(appendPayload(p.appendOpen(nil), payload), messageClose...)
		if want := p.envelopeBytes() + payloadBytes(len(payload)); len(message) != want {
			t.Fatalf("%d bytes, counted as %d", len(message), want)
		}
		got, err := payloads(incoming(t, string(message)+"</stream:stream>"))
		if !errors.Is(err, errStreamEnd) || len(got) != 1 || got[0] != string(payload) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}
