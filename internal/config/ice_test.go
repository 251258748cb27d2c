package config

import (
	"slices"
	"testing"
)

func TestICEServers(t *testing.T) {
	for text, want := range map[string][]ICEServer{
		"stun:stun.example.org":                              {{Host: "stun.example.org", Port: 3478}},
		"stun:192.0.2.1:19302":                               {{Host: "192.0.2.1", Port: 19302}},
		"stun:[2001:db8::1]:5":                               {{Host: "2001:db8::1", Port: 5}},
		"stun:[2001:db8::1]":                                 {{Host: "2001:db8::1", Port: 3478}},
		"turn:me@turn.example.org":                           {{TURN: true, Host: "turn.example.org", Port: 3478, User: "me"}},
		"turn:a@b@turn.example.org:9?transport=tcp":          {{TURN: true, TCP: true, Host: "turn.example.org", Port: 9, User: "a@b"}},
		"turns:me@turn.example.org":                          {{TURN: true, TLS: true, TCP: true, Host: "turn.example.org", Port: 5349, User: "me"}},
		" stun:a.example  turn:me@b.example?transport=udp\t": {{Host: "a.example", Port: 3478}, {TURN: true, Host: "b.example", Port: 3478, User: "me"}},
	} {
		var s Settings
		if !setICEServers(&s, text) || !slices.Equal(s.ICEServers, want) {
			t.Errorf("%q: %+v, want %+v", text, s.ICEServers, want)
		}
	}
	for _, text := range []string{
		"", " ", "example.org", "stun:", "stun:me@example.org", "turn:example.org", "turn:@example.org", "stun:a:0", "stun:a:65536", "stun:a/b", "stuns:a",
		"http:a", "turn:me@a?transport=sctp", "stun:a?transport=tcp", "stun:a b", "stun:1 stun:2 stun:3 stun:4 stun:5 stun:6 stun:7 stun:8 stun:9",
	} {
		if setICEServers(&Settings{}, text) {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestInbandLimit(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "1000": 1000, "50k": 50 << 10, "2M": 2 << 20, "1g": 1 << 30} {
		var s Settings
		if !setInbandLimit(&s, text) || s.InbandLimit != want {
			t.Errorf("%s: %d, want %d", text, s.InbandLimit, want)
		}
	}
	for _, text := range []string{"", "999", "-1", "k", "1t", "1.5k", "4g", "99999999999", "-50k"} {
		if setInbandLimit(&Settings{}, text) {
			t.Errorf("%s was taken", text)
		}
	}
}
