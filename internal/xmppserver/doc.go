// Package xmppserver is a small XMPP server in one process: for trying the
// program out, for tests and for a LAN. Anything bigger is an existing server's
// work.
//
// It offers STARTTLS (required) and direct TLS on one port, SASL SCRAM with and
// without channel binding and PLAIN under TLS, resource binding, and the routing
// of messages, IQs and presence among its own accounts in the order in which each
// sender sent them (RFC 6120, RFC 6121).
//
// It leaves out: server-to-server connections, registration, offline storage,
// archives, carbons, stream management, privacy lists, group chat, and any change
// of rosters: who is subscribed to whom is configured, and subscription requests
// are dropped. Nothing is kept on disk.
//
// Stanzas are not decoded and encoded again. A strict scanner (scanner) finds
// where a stanza ends and refuses what could harm the stream that it is copied
// into; the start tag gets the sender's address; the rest is forwarded byte for
// byte.
//
// The package knows nothing of git, of the tunnel or of this program's messages.
package xmppserver
