package main

import (
	"testing"
	"time"

	"git-remote-xmpp/transport"
)

// How packets go is said with where they go, and why they don't go a better way.
func TestPathWords(t *testing.T) {
	const address, why, trip = "192.0.2.1:5000", "neither side's packets reach the other's addresses", 1500 * time.Microsecond
	for want, path := range map[string]transport.Path{
		"in-band (" + why + ")":                              {Why: why},
		"direct to 192.0.2.1:5000, 1.5 ms":                   {Direct: true, Address: address, Trip: trip},
		"relayed to 192.0.2.1:5000, 1.5 ms":                  {Direct: true, Relayed: true, Address: address, Trip: trip},
		"bytestream to 192.0.2.1:5000, 1.5 ms (" + why + ")": {Direct: true, Bytestream: true, Address: address, Trip: trip, Why: why},
	} {
		if got := pathWords(path); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
