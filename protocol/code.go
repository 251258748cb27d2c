package protocol

import "fmt"

// Code says why something was refused or cancelled. A code that isn't known here counts as
// [CodeRefused] for the program, and is shown with its text.
type Code uint32

// The codes. They are part of the protocol: never renumbered.
const (
	CodeRefused       Code = 1  // for a reason that the text says
	CodeVersion       Code = 2  // unknown major version
	CodeDenied        Code = 3  // the key has no access
	CodeReadOnly      Code = 4  // a push, and the key may only read
	CodeNoRepository  Code = 5  // none of this name or UUID for this key
	CodeAmbiguous     Code = 6  // several, the names say which
	CodeInviteUsed    Code = 7  // redeemed by another key before
	CodeInviteExpired Code = 8  //
	CodeInviteUnknown Code = 9  // no such invite
	CodeUUIDBound     Code = 10 // the client's UUID belongs to another key
	CodeBusy          Code = 11 // queues are full: try again
	CodeTimeout       Code = 12 // no progress for too long
	CodeShutdown      Code = 13 // the serving side stops
	CodeInternal      Code = 14 // something failed there
	CodeProtocol      Code = 15 // the other side broke the protocol
	CodeCancelled     Code = 16 // the other side gave up
	CodeNoObject      Code = 17 // no such Git LFS object, or not of this size
	CodeNoSpace       Code = 18 // the disk there is full
	CodeCorrupt       Code = 19 // what was sent isn't the object
)

var codeTexts = map[Code]string{
	CodeRefused:       "refused",
	CodeVersion:       "unknown protocol version",
	CodeDenied:        "access denied",
	CodeReadOnly:      "read-only access, push refused",
	CodeNoRepository:  "no such repository",
	CodeAmbiguous:     "several repositories, name one",
	CodeInviteUsed:    "the invite has been used",
	CodeInviteExpired: "the invite has expired",
	CodeInviteUnknown: "the invite isn't known there",
	CodeUUIDBound:     "this repository's xmpp.uuid belongs to another key",
	CodeBusy:          "too busy, try again",
	CodeTimeout:       "no progress for too long",
	CodeShutdown:      "the serving side is stopping",
	CodeInternal:      "internal error on the serving side",
	CodeProtocol:      "protocol error",
	CodeCancelled:     "cancelled by the other side",
	CodeNoObject:      "no such object there",
	CodeNoSpace:       "no space left on the serving side",
	CodeCorrupt:       "what arrived isn't the object",
}

// String is the code in words, lower case.
func (c Code) String() string {
	if text, ok := codeTexts[c]; ok {
		return text
	}
	return fmt.Sprintf("refused (code %d)", uint32(c))
}

// Error lets a code be the target of errors.Is, and the cause of a cancelled context.
func (c Code) Error() string { return c.String() }
