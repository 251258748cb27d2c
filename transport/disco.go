package transport

import (
	"crypto/sha1" // the hash that XEP-0115 requires
	"encoding/base64"
	"encoding/xml"
	"strings"

	"gosrc.io/xmpp/stanza"
)

// xmlStart is the start of an element.
type xmlStart = xml.StartElement

// capsNode is the node of our entity capabilities (XEP-0115).
const capsNode = "git-remote-xmpp"

// discoFeatures are what we support, sorted as XEP-0115 wants them.
var discoFeatures = []string{
	"http://jabber.org/protocol/caps",
	stanza.NSDiscoInfo,
	"jabber:iq:version",
	NS,
	"urn:xmpp:ping",
}

// capsElement is the capabilities element of our presence, with the verification string of XEP-0115, 5.1.
func capsElement(cfg *Config) string {
	var ver strings.Builder
	ver.WriteString("client/bot//" + cfg.Software + "<")
	for _, f := range discoFeatures {
		ver.WriteString(f + "<")
	}
	sum := sha1.Sum([]byte(ver.String()))
	return "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='" + capsNode + "' ver='" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'/>"
}

// discoPayload answers disco#info (XEP-0030).
func discoPayload(cfg *Config, node string) (string, error) {
	var q stanza.IQ
	info := q.DiscoInfo()
	info.SetNode(node)
	info.AddIdentity(cfg.Software, "client", "bot")
	info.AddFeatures(discoFeatures...)
	b, err := xml.Marshal(info)
	return string(b), err
}

// versionPayload answers a software version request (XEP-0092).
func versionPayload(cfg *Config) (string, error) {
	b, err := xml.Marshal(&stanza.Version{Name: cfg.Software, Version: cfg.Version})
	return string(b), err
}
