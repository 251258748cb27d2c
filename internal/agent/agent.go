// Package agent lets processes of one user open streams to peers over the connections of one of them: serve listens on a Unix socket,
// and each connection to it is one stream.
//
// It also tells what serve is doing: a JSON document, whatever is in it.
//
// It knows the socket, its frames, which errors mean what, and functions that open a stream and make that document. It must not know git, what the streams
// carry, XMPP, or where settings come from.
package agent

import (
	"errors"
	"io"
	"time"

	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

const (
	// version is that of the frames. Both ends are the same program, of two releases at worst: no version but this is understood.
	version = 3
	// maxClients is how many processes an agent works for at once.
	maxClients = 64
	// maxDataBytes is the most that a frame carries: a frame of protocol's fits.
	maxDataBytes = protocol.MaxDataBytes + 16
	// maxControlBytes is the most in any other frame: more than a failure with the largest refusal.
	maxControlBytes = 32 << 10
	// windowFrames is how many frames with data a client may send ahead of the peer. The agent has room for them, so that it goes on reading
	// and sees at once when the client dies.
	windowFrames = 4

	// greetTimeout is how long each side has for its first frame.
	greetTimeout = 5 * time.Second
	// readyTimeout is how much of it the agent may take to find out whether it is online.
	readyTimeout = 3 * time.Second
	// openTimeout is how long a client waits for its stream; connecting has timeouts of its own.
	openTimeout = 3 * time.Minute
	// writeTimeout is how long a client waits for the agent to take a frame, for which there is room.
	writeTimeout = 10 * time.Second
	// pathEvery is how often the agent looks whether packets still go as they did.
	pathEvery = 250 * time.Millisecond
	// finishGrace is how long streams may go on when the agent stops, lastWords how long it takes at most to tell clients so.
	finishGrace = 2 * time.Second
	lastWords   = time.Second
)

// A Stream is a stream to a peer.
type Stream interface {
	io.ReadWriter
	// CloseWrite ends our direction.
	CloseWrite() error
	// Cancel gives up both directions, with a reason for the peer.
	Cancel(code protocol.Code)
	// Close gives up what is left of the stream. Nothing is called after it.
	Close()
	// Path says how its packets go now.
	Path() transport.Path
}

// ErrDeclined says that there is no agent, or that it won't do, for a reason that has nothing to do with the peer. No stream was opened.
var ErrDeclined = errors.New("agent not used")
