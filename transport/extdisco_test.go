package transport

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/transport/direct"
)

// Of what a server answers only what makes sense is used, and only as long as it says.
func TestServices(t *testing.T) {
	now := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	var q iq
	err := xml.Unmarshal([]byte(`<iq xmlns='jabber:client' type='result'><services xmlns='urn:xmpp:extdisco:2'>
		<service type='stun' host='192.0.2.1' port='3479' transport='udp'/>
		<service type='turn' host='turn.example.org' transport='tcp' username='u' password='p' expires='2024-01-01T12:30:00Z' restricted='1'/>
		<service type='turns' host='turn.example.org' username='u' password='p'/>
		<service type='turn' host='old.example.org' username='u' password='p' expires='2024-01-01T12:00:00Z'/>
		<service type='turn' host='odd.example.org' username='u' password='p' expires='tomorrow'/>
		<service type='turns' host='turn.example.org' port='443'/><service type='turns' host='bare.example.org'/>
		<service type='stun' host=''/><service type='stun' host='a' port='0'/><service type='stun' host='a' port='65536'/>
		<service type='stun' host='a' transport='sctp'/><service type='ftp' host='a'/><service type='stun' host='a&#10;b'/>
		<other/><service xmlns='urn:other' type='stun' host='a'/>
		</services></iq>`), &q)
	if err != nil {
		t.Fatal(err)
	}
	got, until := usable(q.Services.List, now)
	want := []direct.Server{
		{Host: "192.0.2.1", Port: 3479},
		{Host: "turn.example.org", Port: 3478, TURN: true, TCP: true, Username: "u", Password: "p"},
		{Host: "turn.example.org", Port: 5349, TURN: true, TLS: true, TCP: true, Username: "u", Password: "p"},
		{Host: "turn.example.org", Port: 443, TURN: true, TLS: true, TCP: true, Username: "u", Password: "p"},
		{Host: "bare.example.org", Port: 5349, TURN: true, TLS: true, TCP: true},
	}
	if !slices.Equal(got, want) || !until.Equal(now.Add(29*time.Minute)) {
		t.Errorf("%+v until %v, want %+v", got, until, want)
	}
	for _, s := range got {
		if strings.Contains(s.String(), "u@") || strings.Contains(s.String(), "p@") {
			t.Errorf("%s says who we are", s)
		}
	}
	if got, until := usable(slices.Repeat([]externalService{{Type: "stun", Host: "a"}}, 1000), now); len(got) != maxServices || !until.Equal(now.Add(servicesFor)) {
		t.Errorf("%d servers until %v", len(got), until)
	}
	if got, until := usable(nil, now); len(got) != 0 || !until.Equal(now.Add(noServicesFor)) {
		t.Errorf("%+v until %v", got, until)
	}
}
