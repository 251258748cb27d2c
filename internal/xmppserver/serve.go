package xmppserver

import (
	"encoding/xml"

	"mellium.im/xmpp/stanza"
)

const (
	nsRoster  = "jabber:iq:roster"
	nsDisco   = "http://jabber.org/protocol/disco#info" // XEP-0030
	nsPing    = "urn:xmpp:ping"                         // XEP-0199
	nsSession = "urn:ietf:params:xml:ns:xmpp-session"   // RFC 3921; does nothing
)

// request is an IQ for the server: its only child.
type request struct {
	Payload []struct {
		XMLName xml.Name
		Node    string `xml:"node,attr"`
	} `xml:",any"`
}

type rosterQuery struct {
	XMLName xml.Name     `xml:"jabber:iq:roster query"`
	Items   []rosterItem `xml:"item"`
}

type rosterItem struct {
	JID          string `xml:"jid,attr"`
	Subscription string `xml:"subscription,attr"`
}

type discoQuery struct {
	XMLName  xml.Name       `xml:"http://jabber.org/protocol/disco#info query"`
	Identity discoIdentity  `xml:"identity"`
	Features []discoFeature `xml:"feature"`
}

type discoIdentity struct {
	Category string `xml:"category,attr"`
	Type     string `xml:"type,attr"`
}

type discoFeature struct {
	Var string `xml:"var,attr"`
}

// serve answers an IQ to the client's own account or to the domain.
func (c *client) serve(st *rawStanza, own bool) error {
	if st.isType("result") || st.isType("error") {
		return nil // answers to what the server never asked
	}
	var req request
	if err := st.decode(&req); err != nil || len(req.Payload) != 1 {
		return c.refuse(st, stanza.Modify, stanza.BadRequest)
	}
	payload := req.Payload[0]
	r := replyTo(st, "result", c.jid)
	switch {
	case payload.XMLName.Space == nsRoster && own && st.isType("get"):
		r.Payload = c.roster()
	case payload.XMLName.Space == nsDisco && st.isType("get"):
		if payload.Node != "" {
			return c.refuse(st, stanza.Cancel, stanza.ItemNotFound)
		}
		r.Payload = disco(own)
	case payload.XMLName.Space == nsPing && st.isType("get"):
	case payload.XMLName.Space == nsSession && st.isType("set"):
	default:
		return c.undeliverable(st)
	}
	return c.answer(r)
}

// roster lists the accounts that are subscribed to this one, and it to them.
func (c *client) roster() rosterQuery {
	var q rosterQuery
	for _, local := range c.server.accounts.contacts[c.jid.Localpart()] {
		q.Items = append(q.Items, rosterItem{
			JID:          local + "@" + c.jid.Domainpart(),
			Subscription: "both",
		})
	}
	return q
}

func disco(own bool) discoQuery {
	if own {
		return discoQuery{
			Identity: discoIdentity{Category: "account", Type: "registered"},
			Features: []discoFeature{{nsDisco}},
		}
	}
	return discoQuery{
		Identity: discoIdentity{Category: "server", Type: "im"},
		Features: []discoFeature{{nsDisco}, {nsPing}, {nsRoster}},
	}
}
