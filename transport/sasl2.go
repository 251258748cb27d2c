package transport

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"
)

const (
	nsSASL2 = "urn:xmpp:sasl:2"
	nsBind2 = "urn:xmpp:bind:0"
	nsFAST  = "urn:xmpp:fast:0"
)

// sasl2Offer is what a server offers by SASL2 (XEP-0388).
type sasl2Offer struct {
	Mechanisms []string `xml:"urn:xmpp:sasl:2 mechanism"`
	Inline     struct {
		Bind   *struct{} `xml:"urn:xmpp:bind:0 bind"`           // XEP-0386
		Tokens []string  `xml:"urn:xmpp:fast:0 fast>mechanism"` // XEP-0484
	} `xml:"urn:xmpp:sasl:2 inline"`
}

// bySASL2 is the offer with the mechanisms of SASL2, which are chosen among, remembered and hashed as the others are; nil if there are none.
func (f *features) bySASL2() *features {
	if f.SASL2 == nil || len(f.SASL2.Mechanisms) == 0 {
		return nil
	}
	second := *f
	second.Mechanisms = f.SASL2.Mechanisms
	return &second
}

// sasl2 is a login by SASL2. There is no new stream after it, and the server may bind a resource and give a token in the same step.
type sasl2 struct {
	request string // what we want in the same step, XML
	byToken bool
	asks    Token    // that we ask for, or log in with: what the server gives is like it but for the secret
	token   *Token   // that the server gave
	self    *jid.JID // that it bound
}

// newSASL2 is a login that asks for what may be had in the same step.
func newSASL2(cfg *Config, mechanism string, state tls.ConnectionState, offered *features) *sasl2 {
	client := clientID(cfg)
	if client == "" {
		return &sasl2{}
	}
	inline := offered.SASL2.Inline
	p := &sasl2{asks: Token{Bind2: inline.Bind != nil}}
	p.request = userAgent(cfg, client) + bind2Request(cfg, inline.Bind != nil)
	bound := strings.HasSuffix(mechanism, plus)
	if p.asks.Mechanism = chooseToken(inline.Tokens, state, offered.canBind(state.Version), bound); p.asks.Mechanism != "" {
		p.request += "<request-token xmlns='" + nsFAST + "' mechanism='" + p.asks.Mechanism + "'/>"
	}
	return p
}

// clientID is the id by which the server knows this installation; empty if there is none.
func clientID(cfg *Config) string {
	if cfg.Tokens == nil {
		return ""
	}
	client, err := cfg.Tokens.Client()
	if err != nil {
		cfg.Log.Warn("no tokens", "err", err)
		return ""
	}
	return client
}

func userAgent(cfg *Config, client string) string {
	return "<user-agent id='" + escape(client) + "'><software>" + escape(cfg.Software) + "</software></user-agent>"
}

// bind2Request asks for a resource that begins with ours. What serves needs exactly the resource that its peers know, and binds it afterwards. For a client that it
// knows by an id the server makes the same resource each time.
func bind2Request(cfg *Config, offered bool) string {
	if !offered || cfg.Serve {
		return ""
	}
	return "<bind xmlns='" + nsBind2 + "'><tag>" + escape(cfg.Resource) + "</tag></bind>"
}

func (p *sasl2) auth(mechanism string, initial []byte) string {
	return "<authenticate xmlns='" + nsSASL2 + "' mechanism='" + mechanism + "'><initial-response>" + base64.StdEncoding.EncodeToString(initial) + "</initial-response>" +
		p.request + "</authenticate>"
}

func (p *sasl2) response(data []byte) string {
	return "<response xmlns='" + nsSASL2 + "'>" + base64.StdEncoding.EncodeToString(data) + "</response>"
}

func (p *sasl2) step(s *stream, cfg *Config) (name string, data []byte, err error) {
	start, err := s.next()
	if err != nil {
		return "", nil, err
	}
	if start.Name.Space != nsSASL2 {
		return "", nil, unexpected(start)
	}
	switch start.Name.Local {
	case "challenge":
		data, err = s.saslData(start)
		return start.Name.Local, data, err
	case "success":
		data, err = p.success(s, cfg, start)
		return start.Name.Local, data, err
	case "failure":
		condition, err := s.saslCondition(start)
		switch {
		case err != nil:
			return "", nil, err
		case p.byToken:
			return "", nil, tokenFailure(cfg, condition)
		}
		return "", nil, saslFailure(cfg, condition)
	case "continue":
		return "", nil, final(errors.New("the server wants more than the password, such as a second factor: this program can't do that"))
	default:
		return "", nil, unexpected(start)
	}
}

// success reads what the server says at the end, whose proof isn't looked at yet.
func (p *sasl2) success(s *stream, cfg *Config, start xml.StartElement) ([]byte, error) {
	var success struct {
		Data  string     `xml:"urn:xmpp:sasl:2 additional-data"`
		Self  string     `xml:"urn:xmpp:sasl:2 authorization-identifier"`
		Bound *struct{}  `xml:"urn:xmpp:bind:0 bound"`
		Token *fastToken `xml:"urn:xmpp:fast:0 token"`
	}
	if err := s.decode(&success, start); err != nil {
		return nil, err
	}
	if success.Bound != nil {
		if !strings.Contains(p.request, nsBind2) {
			return nil, errors.New("the server bound a resource that we didn't ask for")
		}
		self, err := ourJID(cfg, success.Self)
		if err != nil {
			return nil, err
		}
		p.self = &self
	} else if self, err := jid.Parse(strings.TrimSpace(success.Self)); err != nil || !self.Bare().Equal(cfg.Account) {
		return nil, fmt.Errorf("the server logged us in as %q", clean(success.Self))
	}
	if success.Token != nil && p.asks.Mechanism != "" {
		token, err := success.Token.check(p.asks)
		if err != nil {
			cfg.Log.Warn("the server's token isn't used", "err", err)
		} else {
			p.token = &token
		}
	}
	return decodeSASL(success.Data)
}

// link goes on when the server has proved who it is: the features come by themselves, and a resource is bound if none is.
func (p *sasl2) link(s *stream, cfg *Config) (*link, error) {
	if p.token != nil {
		if err := cfg.Tokens.Keep(*p.token, p.asks); err != nil {
			cfg.Log.Warn("the server's token isn't kept", "err", err)
		}
	}
	offered, err := s.features()
	if err != nil {
		return nil, err
	}
	if p.self != nil {
		return newLink(s, *p.self, offered), nil
	}
	if _, err := fmt.Fprint(s.conn, bindRequest(cfg.Resource)); err != nil {
		return nil, err
	}
	self, err := bound(s, cfg)
	return newLink(s, self, offered), err
}
