package direct

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

var signals = map[string]signal{
	"01002a00000001 04 61426364 20 " + hex.EncodeToString([]byte(strings.Repeat("p0+/", 8))): {
		kind: signalStart, generation: 1, ufrag: "aBcd", pwd: strings.Repeat("p0+/", 8)},
	"02000f00000002 00 7effffff 1234 0a000001": {
		kind: signalCandidate, generation: 2, candidate: candidate{kindHost, 0x7effffff, netip.MustParseAddrPort("10.0.0.1:4660")}},
	"02001b00000002 02 00ffffff ffff 20010db8000000000000000000000001": {
		kind: signalCandidate, generation: 2, candidate: candidate{kindRelay, 0xffffff, netip.MustParseAddrPort("[2001:db8::1]:65535")}},
	"03000400000003": {kind: signalAgain, generation: 3},
	"04004200000004 20 " + hex.EncodeToString([]byte(strings.Repeat("p0+/", 8))) + " " + strings.Repeat("ab", 20) + " 1388 70726f78792e61": {
		kind: signalStream, generation: 4, pwd: strings.Repeat("p0+/", 8), name: StreamName(bytes.Repeat([]byte{0xab}, 20)), host: "proxy.a", port: 5000},
	"05002500000005 20 " + hex.EncodeToString([]byte(strings.Repeat("p0+/", 8))): {
		kind: signalJoin, generation: 5, pwd: strings.Repeat("p0+/", 8)},
	"06000400000006": {kind: signalNone, generation: 6},
}

// The messages are those of SPEC.md, byte for byte.
func TestSignals(t *testing.T) {
	for text, want := range signals {
		b := wireBytes(t, text)
		if got := appendSignal(nil, want); !bytes.Equal(got, b) {
			t.Errorf("%+v is %x, want %x", want, got, b)
		}
		got, err := readSignal(bytes.NewReader(b), make([]byte, maxSignalBytes))
		if err != nil || got != want {
			t.Errorf("%x: %+v, %v, want %+v", b, got, err, want)
		}
	}
}

func wireBytes(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMalformedSignals(t *testing.T) {
	for name, text := range map[string]string{
		"too long":                 "010201" + strings.Repeat("00", 513),
		"no generation":            "030003000000",
		"something behind":         "03000500000003ff",
		"empty start":              "01000400000001",
		"short name":               "01000f00000001 03616263 20" + strings.Repeat("70", 6),
		"short password":           "010010000000010461626364 06" + strings.Repeat("70", 6),
		"a space in the name":      "01002a00000001 0461206364 20" + strings.Repeat("70", 32),
		"a port of 0":              "02000f00000002 00 7effffff 0000 0a000001",
		"an address of 5 bytes":    "02001000000002 00 7effffff 1234 0a00000100",
		"an unknown kind":          "02000f00000002 03 7effffff 1234 0a000001",
		"IPv4 in IPv6":             "02001b00000002 02 00ffffff ffff 00000000000000000000ffff0a000001",
		"too many of other types":  strings.Repeat("630000", maxSkipped+1),
		"nothing but a wrong size": "01000000",
		"a stream of no port":      streamText("0000", "proxy.a"),
		"a stream of no host":      streamText("1388", ""),
		"a host with a space":      streamText("1388", "proxy a"),
		"a host with a zone":       streamText("1388", "fe80::1%eth0"),
		"a host that is too long":  streamText("1388", strings.Repeat("a.", 127)),
		"a host with a port":       streamText("1388", "proxy.a:22"),
		"a host that is an option": streamText("1388", "-proxy"),
		"a stream that is short":   "04002700000004 20" + strings.Repeat("70", 32) + "abab",
		"a join without password":  "05000400000005",
		"something behind none":    "0600050000000600",
	} {
		if s, err := readSignal(bytes.NewReader(wireBytes(t, text)), make([]byte, maxSignalBytes)); !errors.Is(err, errSignal) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if _, err := readSignal(bytes.NewReader(wireBytes(t, "630001ff 03000400000003")), make([]byte, maxSignalBytes)); err != nil {
		t.Errorf("behind an unknown one: %v", err)
	}
}

// streamText is a message of a stream at a port of a host.
func streamText(port, host string) string {
	const rest = 4 + 1 + 32 + 20 + 2
	return fmt.Sprintf("04%04x00000004 20", rest+len(host)) + strings.Repeat("70", 32) + strings.Repeat("ab", 20) + port + hex.EncodeToString([]byte(host))
}

// Addresses that lead nowhere, or to ourselves, aren't tried.
func TestReachable(t *testing.T) {
	for text, want := range map[string]bool{
		"10.0.0.1": true, "192.0.2.1": true, "2001:db8::1": true, "fd00::1": true, "127.0.0.1": false, "::1": false, "0.0.0.0": false, "::": false,
		"224.0.0.1": false, "255.255.255.255": false, "169.254.1.1": false, "fe80::1": false, "ff02::1": false,
	} {
		if got := (candidate{addr: netip.AddrPortFrom(netip.MustParseAddr(text), 1)}).reachable(false); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if !(candidate{addr: netip.MustParseAddrPort("127.0.0.1:1")}).reachable(true) {
		t.Error("loopback isn't reachable on loopback")
	}
}

// Whatever is taken encodes back to the same bytes.
func FuzzSignals(f *testing.F) {
	for text := range signals {
		f.Add(wireBytes(f, text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		buf := make([]byte, maxSignalBytes)
		for {
			s, err := readSignal(r, buf)
			if err != nil {
				return
			}
			again, err := readSignal(bytes.NewReader(appendSignal(nil, s)), buf)
			if err != nil || again != s {
				t.Fatalf("%+v, then %+v, %v", s, again, err)
			}
		}
	})
}

// Whatever comes over a path, halves are joined only to packets of a proper size.
func FuzzJoin(f *testing.F) {
	f.Add([]byte{framePartOne, 0, 1, 0x40, 1}, []byte{framePartTwo, 0, 1, 2})
	f.Fuzz(func(t *testing.T, one, two []byte) {
		var j joiner
		for _, b := range [][]byte{one, two, two, one} {
			if p, ok := j.join(b); ok && len(p) > maxDatagramBytes {
				t.Fatalf("%d bytes", len(p))
			}
		}
	})
}
