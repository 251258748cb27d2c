package xmppserver

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/xdg-go/scram"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"
)

const (
	nsChannelBinding = "urn:xmpp:sasl-cb:0"       // XEP-0440
	nsLimits         = "urn:xmpp:stream-limits:0" // XEP-0478
	tlsRecordType    = 0x16                       // the first byte of a TLS handshake
	streamEnd        = "</stream:stream>"
)

// negotiation is a connection on its way to a bound resource.
type negotiation struct {
	server *Server
	raw    net.Conn
	conn   *streamConn // the innermost layer so far
	login  login
	local  string  // the account, once logged in
	client *client // once bound

	explained bool // the client was told why the negotiation ended
}

// negotiate leads a new connection through TLS, login and binding. The client
// that it returns is registered: stanzas for it queue up already. When it fails
// nothing is left registered.
func (s *Server) negotiate(ctx context.Context, raw net.Conn) (*client, error) {
	n := &negotiation{server: s, raw: raw, login: login{accounts: s.accounts, only: s.mechanisms}}
	state, err := n.sniff()
	if err != nil {
		return nil, err
	}
	session, err := xmpp.ReceiveSession(ctx, n.conn, state, xmpp.NewNegotiator(n.config))
	if err == nil && n.client == nil {
		err = errUnexpected
	}
	if err != nil {
		if n.client != nil {
			s.discard(n.client)
		}
		n.explain(session, err)
		if n.explained {
			n.conn.farewell(s.limits.linger)
		}
		return nil, err
	}
	return n.client, nil
}

// sniff looks whether the client begins with TLS or with XML.
func (n *negotiation) sniff() (xmpp.SessionState, error) {
	n.conn = newStreamConn(n.raw, maxNegotiationBytes)
	first, err := n.conn.br.Peek(1)
	if err != nil {
		return 0, err
	}
	if first[0] != tlsRecordType {
		return 0, nil
	}
	n.conn = newStreamConn(tls.Server(n.conn, n.server.tls), maxNegotiationBytes)
	return xmpp.Secure, nil
}

// config is called when a stream begins. mellium answers the stream's header by
// itself, so this is where a header can be refused.
func (n *negotiation) config(session *xmpp.Session, _ *xmpp.StreamConfig) xmpp.StreamConfig {
	if session == nil { // mellium asks once before there is any
		return xmpp.StreamConfig{}
	}
	if err := n.checkHeader(session.In()); err != nil {
		n.explain(session, err)
		n.conn.abort(err)
		return xmpp.StreamConfig{}
	}
	features := []xmpp.StreamFeature{n.startTLS(), n.sasl(), bindFeature(n.bind), n.limits()}
	if session.State()&xmpp.Secure != 0 && session.State()&xmpp.Authn == 0 {
		if n.findBinding(session.ConnectionState()) {
			features = append(features, channelBindings())
		}
	}
	return xmpp.StreamConfig{Features: features}
}

func (n *negotiation) checkHeader(in stream.Info) error {
	switch {
	case in.XMLNS != stanza.NSClient:
		return stream.InvalidNamespace
	case !in.To.Equal(jid.JID{}) && !in.To.Equal(n.server.accounts.domain):
		return stream.HostUnknown
	}
	return nil
}

// findBinding prepares tls-exporter (RFC 9266). It needs TLS 1.3: before that,
// exported keys are only unique with an extension.
func (n *negotiation) findBinding(state tls.ConnectionState) bool {
	if state.Version < tls.VersionTLS13 || !n.login.binds() {
		return false
	}
	binding, err := scram.NewTLSExporterBinding(&state)
	if err != nil {
		return false
	}
	n.login.binding = binding
	return true
}

// startTLS is mellium's, with the connection wrapped so that nothing is read
// ahead of the decoder.
func (n *negotiation) startTLS() xmpp.StreamFeature {
	feature := xmpp.StartTLS(n.server.tls)
	inner := feature.Negotiate
	feature.Negotiate = func(ctx context.Context, session *xmpp.Session, data any) (xmpp.SessionState, io.ReadWriter, error) {
		mask, rw, err := inner(ctx, session, data)
		if err != nil {
			return mask, nil, err
		}
		secure, ok := rw.(net.Conn)
		if !ok {
			return mask, nil, errUnexpected
		}
		n.conn = newStreamConn(secure, maxNegotiationBytes)
		return mask, n.conn, nil
	}
	return feature
}

// sasl is the feature around login. mellium's own can't offer one mechanism
// with and without channel binding, nor another attempt after a failure.
func (n *negotiation) sasl() xmpp.StreamFeature {
	return xmpp.StreamFeature{
		Name:       xml.Name{Space: nsSASL, Local: "mechanisms"},
		Necessary:  xmpp.Secure,
		Prohibited: xmpp.Authn,
		List: func(_ context.Context, e xmlstream.TokenWriter, start xml.StartElement) (bool, error) {
			var names []xml.TokenReader
			for _, m := range n.login.mechanisms() {
				names = append(names, textElement("mechanism", m.Name))
			}
			_, err := xmlstream.Copy(e, xmlstream.Wrap(xmlstream.MultiReader(names...), start))
			return true, err
		},
		Negotiate: n.authenticate,
	}
}

// authenticate gives a client a few attempts.
func (n *negotiation) authenticate(_ context.Context, session *xmpp.Session, _ any) (xmpp.SessionState, io.ReadWriter, error) {
	r := session.TokenReader()
	defer r.Close()
	d, conn := xml.NewTokenDecoder(r), session.Conn()
	for range maxLoginFailures {
		local, err := n.login.exchange(d, conn)
		var refused failure
		switch {
		case err == nil:
			n.local = local
			return xmpp.Authn, conn, nil
		case !errors.As(err, &refused):
			return 0, nil, err
		}
		n.server.log.Info("login refused", "remote", n.raw.RemoteAddr(), "condition", string(refused))
		if _, err := fmt.Fprintf(conn, "<failure xmlns='%s'><%s/></failure>", nsSASL, string(refused)); err != nil {
			return 0, nil, err
		}
	}
	return 0, nil, stream.PolicyViolation
}

// channelBindings says which kinds there are (XEP-0440).
func channelBindings() xmpp.StreamFeature {
	kind := xml.StartElement{
		Name: xml.Name{Local: "channel-binding"},
		Attr: []xml.Attr{{Name: xml.Name{Local: "type"}, Value: string(scram.ChannelBindingTLSExporter)}},
	}
	return announcement(xml.Name{Space: nsChannelBinding, Local: "sasl-channel-binding"}, 0,
		func() xml.TokenReader { return xmlstream.Wrap(nil, kind) })
}

// limits says how large a stanza may be (XEP-0478).
func (n *negotiation) limits() xmpp.StreamFeature {
	return announcement(xml.Name{Space: nsLimits, Local: "limits"}, xmpp.Authn,
		func() xml.TokenReader { return textElement("max-bytes", strconv.Itoa(n.server.maxStanzaBytes)) })
}

// announcement is a feature that there is nothing to negotiate about.
func announcement(name xml.Name, necessary xmpp.SessionState, payload func() xml.TokenReader) xmpp.StreamFeature {
	return xmpp.StreamFeature{
		Name:      name,
		Necessary: necessary,
		List: func(_ context.Context, e xmlstream.TokenWriter, start xml.StartElement) (bool, error) {
			_, err := xmlstream.Copy(e, xmlstream.Wrap(payload(), start))
			return false, err
		},
	}
}

func textElement(name, text string) xml.TokenReader {
	return xmlstream.Wrap(xmlstream.Token(xml.CharData(text)), xml.StartElement{Name: xml.Name{Local: name}})
}

func bindFeature(bind func(jid.JID, string) (jid.JID, error)) xmpp.StreamFeature {
	return xmpp.BindCustom(bind)
}

// bind gives the client the resource that it asks for, or a random one, and
// registers it: from the answer on, others may write to it.
func (n *negotiation) bind(_ jid.JID, resource string) (jid.JID, error) {
	bare, err := n.server.accounts.domain.WithLocal(n.local)
	if err != nil {
		return jid.JID{}, err
	}
	full, err := bare.WithResource(resource)
	if err != nil || full.Resourcepart() == "" {
		if full, err = bare.WithResource(rand.Text()); err != nil {
			return jid.JID{}, err
		}
	}
	if n.client != nil {
		return jid.JID{}, errUnexpected
	}
	n.client = newClient(n.server, n.raw, n.conn, full)
	n.server.enter(n.client)
	return full, nil
}

// explain sends the stream error that fits err, behind a stream header if there
// is none yet. The connection may be broken already, so it is only tried.
func (n *negotiation) explain(session *xmpp.Session, err error) {
	if n.explained || connectionError(err) {
		return
	}
	condition, ok := streamError(err)
	if !ok {
		condition = stream.BadFormat
	}
	header := ""
	if session.Out().ID == "" {
		header = fmt.Sprintf("<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' version='1.0' from='%s' id='%s'>",
			stanza.NSClient, stream.NS, n.server.accounts.domain, rand.Text())
	}
	if _, err := io.WriteString(n.conn.Conn, header+string(lastWords(condition))); err == nil {
		n.explained = true
	}
}

// connectionError tells whether there is nobody left to explain err to.
func connectionError(err error) bool {
	var network net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &network)
}

// streamError is what a client is told about err, if anything.
func streamError(err error) (stream.Error, bool) {
	var condition stream.Error
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &condition):
		return condition, true
	case errors.As(err, &syntax):
		return stream.NotWellFormed, true
	}
	return stream.Error{}, false
}

// lastWords ends a stream with an error.
func lastWords(condition stream.Error) []byte {
	return fmt.Appendf(nil, "<stream:error><%s xmlns='%s'/></stream:error>%s", condition.Err, stream.NSError, streamEnd)
}
