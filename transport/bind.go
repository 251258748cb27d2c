package transport

import (
	"encoding/xml"
	"fmt"
	"strings"

	"gosrc.io/xmpp/stanza"
	"mellium.im/xmpp/jid"
)

// bindRequest asks for a resource (RFC 6120, 7).
func bindRequest(resource string) string {
	return "<iq type='set' id='bind'><bind xmlns='" + stanza.NSBind + "'><resource>" + escape(resource) + "</resource></bind></iq>"
}

// bound reads the answer.
func bound(s *stream, cfg *Config) (jid.JID, error) {
	start, err := s.next()
	if err != nil {
		return jid.JID{}, err
	}
	var answer struct {
		XMLName xml.Name     `xml:"jabber:client iq"`
		Type    string       `xml:"type,attr"`
		Bind    stanza.Bind  `xml:"urn:ietf:params:xml:ns:xmpp-bind bind"`
		Error   *stanzaError `xml:"jabber:client error"`
	}
	if err := s.decode(&answer, start); err != nil {
		return jid.JID{}, err
	}
	if answer.Type != "result" {
		return jid.JID{}, fmt.Errorf("the server binds no resource: %s", answer.Error)
	}
	return ourJID(cfg, answer.Bind.Jid)
}

// ourJID checks the address that the server says is ours.
func ourJID(cfg *Config, text string) (jid.JID, error) {
	self, err := jid.Parse(strings.TrimSpace(text))
	if err != nil || !self.Bare().Equal(cfg.Account) || self.Resourcepart() == "" {
		return jid.JID{}, fmt.Errorf("the server bound us to %q", clean(text))
	}
	return self, nil
}
