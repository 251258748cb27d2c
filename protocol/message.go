package protocol

import (
	"fmt"
	"strings"
)

// A Message is the content of one frame: one of the types of this package.
type Message interface {
	Type() Type
	// check says what in a message isn't allowed; it is called on what is sent and on what was received.
	check() error
}

// Hello is the first message of each side on the control stream.
type Hello struct {
	Major    uint32 `cbor:"1,keyasint"`
	Minor    uint32 `cbor:"2,keyasint"`
	Software string `cbor:"3,keyasint,omitempty"` // name and version, at most 64 characters
	Label    string `cbor:"4,keyasint,omitempty"` // what the sender calls itself, at most 64 characters
	Resource string `cbor:"5,keyasint,omitempty"` // XMPP resource that the sender serves under, if it does
	Invite   []byte `cbor:"6,keyasint,omitempty"` // secret of an invite to redeem, 16 bytes
	Granted  string `cbor:"7,keyasint,omitempty"` // in the answer to an invite: UUID of the repository it opens
	// Vouches are the sender's own other installations; all of them, each time.
	Vouches []Vouch `cbor:"8,keyasint,omitempty"`
	Shares  uint32  `cbor:"9,keyasint,omitempty"` // how many [Share] messages follow at once
}

// Open asks for one run of a service; it is the first message on a stream of its own.
type Open struct {
	Service     Service `cbor:"1,keyasint"`
	Repository  string  `cbor:"2,keyasint,omitempty"` // name or UUID; empty: the only one
	Client      string  `cbor:"3,keyasint,omitempty"` // UUID of the repository that asks; needed to write
	GitProtocol uint32  `cbor:"4,keyasint,omitempty"` // git's wire protocol version, 0 to 2
	// Merges is set for a push if the client's repository merges what comes from this one: if both did, they would merge merges.
	Merges bool `cbor:"5,keyasint,omitempty"`
}

// Accept answers an [Open]: from here on the stream carries data.
type Accept struct {
	Repository string `cbor:"1,keyasint"` // UUID
	Name       string `cbor:"2,keyasint"`
	// Direct is set if pushes have plain git's semantics: no fallback refs.
	Direct bool `cbor:"3,keyasint,omitempty"`
	// Size is about how many bytes a clone gets, for upload-pack; 0 if that isn't known.
	Size uint64 `cbor:"4,keyasint,omitempty"`
}

// Queued answers an [Open] that has to wait. It may come several times.
type Queued struct {
	Before uint32 `cbor:"1,keyasint"` // how many run or wait before this one
}

// Refuse answers an [Open] or a [Hello] that isn't granted; nothing follows it. It answers an [LFSGet] or [LFSPut] too.
type Refuse struct {
	Code  Code     `cbor:"1,keyasint"`
	Text  string   `cbor:"2,keyasint,omitempty"` // for people, at most 512 characters, never a path
	Names []string `cbor:"3,keyasint,omitempty"` // with CodeAmbiguous: what there is to choose from
}

// Done is the last message of an accepted service.
type Done struct {
	Status uint32 `cbor:"1,keyasint"`           // exit status of git, 0 to 255
	Code   Code   `cbor:"2,keyasint,omitempty"` // why it was cancelled, if it was
}

// Data is a piece of the service's standard input (from the client) or standard output.
type Data []byte

// Stderr is a piece of the service's standard error.
type Stderr []byte

// CanPush says: I have these tips, do you want them? It is answered by a [PushRequest] or a [NothingNeeded].
type CanPush struct {
	From string   `cbor:"1,keyasint"` // UUID of the repository that has something
	To   string   `cbor:"2,keyasint"` // UUID of the repository that it is for
	Tips [][]byte `cbor:"3,keyasint,omitempty"`
	Refs []string `cbor:"4,keyasint,omitempty"` // whose values the tips are, one each; or none
	More bool     `cbor:"5,keyasint,omitempty"` // another one follows, before anything is answered
}

// PushRequest says: push to me. As the answer to a [CanPush] with refs it names those that are wanted. One without refs that answers nothing
// is answered by a [CanPush] of all there is.
type PushRequest struct {
	From string   `cbor:"1,keyasint"` // UUID of the repository that asks
	To   string   `cbor:"2,keyasint"` // UUID of the repository that is to push
	Refs []string `cbor:"3,keyasint,omitempty"`
}

// StartingPush says: here it comes.
type StartingPush struct {
	From string `cbor:"1,keyasint"`
	To   string `cbor:"2,keyasint"`
}

// NothingNeeded answers a [CanPush] whose tips are all there already.
type NothingNeeded struct {
	From string `cbor:"1,keyasint"`
	To   string `cbor:"2,keyasint"`
}

// Announce says: my repository is a clone of yours, or has it as a remote; it can be pushed to at the resource that my [Hello] named. It is
// answered by an [Announced] or a [Refuse].
type Announce struct {
	From       string `cbor:"1,keyasint"`           // UUID of the repository that is announced
	Repository string `cbor:"2,keyasint,omitempty"` // name or UUID of the one that it is told; empty: the only one
}

// Announced answers an [Announce].
type Announced struct {
	From string `cbor:"1,keyasint"` // UUID of the repository that was told
	To   string `cbor:"2,keyasint"` // UUID of the one that was announced
}

// Types of the messages.
func (*Hello) Type() Type         { return TypeHello }
func (*Open) Type() Type          { return TypeOpen }
func (*Accept) Type() Type        { return TypeAccept }
func (*Queued) Type() Type        { return TypeQueued }
func (*Refuse) Type() Type        { return TypeRefuse }
func (*Done) Type() Type          { return TypeDone }
func (Data) Type() Type           { return TypeData }
func (Stderr) Type() Type         { return TypeStderr }
func (*CanPush) Type() Type       { return TypeCanPush }
func (*PushRequest) Type() Type   { return TypePushRequest }
func (*StartingPush) Type() Type  { return TypeStartingPush }
func (*NothingNeeded) Type() Type { return TypeNothingNeeded }
func (*Announce) Type() Type      { return TypeAnnounce }
func (*Announced) Type() Type     { return TypeAnnounced }
func (*Share) Type() Type         { return TypeShare }

// newMessage returns an empty message of a type, or nil if the type is unknown.
func newMessage(t Type) Message {
	switch t {
	case TypeHello:
		return &Hello{}
	case TypeOpen:
		return &Open{}
	case TypeAccept:
		return &Accept{}
	case TypeQueued:
		return &Queued{}
	case TypeRefuse:
		return &Refuse{}
	case TypeDone:
		return &Done{}
	case TypeData:
		return Data(nil)
	case TypeStderr:
		return Stderr(nil)
	case TypeCanPush:
		return &CanPush{}
	case TypePushRequest:
		return &PushRequest{}
	case TypeStartingPush:
		return &StartingPush{}
	case TypeNothingNeeded:
		return &NothingNeeded{}
	case TypeAnnounce:
		return &Announce{}
	case TypeAnnounced:
		return &Announced{}
	case TypeShare:
		return &Share{}
	default:
		return newLFSMessage(t)
	}
}

// Service is a service that a peer can ask for.
type Service string

// The services: git's, under its names for them (gitremote-helpers(7), connect), and those of Git LFS.
const (
	UploadPack    Service = "git-upload-pack"
	ReceivePack   Service = "git-receive-pack"
	UploadArchive Service = "git-upload-archive"
	LFSDownload   Service = "lfs-download"
	LFSUpload     Service = "lfs-upload"
)

// Valid tells whether s is one of the services.
func (s Service) Valid() bool { return s.OfGit() || s.OfLFS() }

// OfGit tells whether s is a service of git's, a program whose standard files the stream carries.
func (s Service) OfGit() bool {
	return s == UploadPack || s == ReceivePack || s == UploadArchive
}

// OfLFS tells whether s is a service of Git LFS.
func (s Service) OfLFS() bool { return s == LFSDownload || s == LFSUpload }

// Writes tells whether the service changes the repository.
func (s Service) Writes() bool { return s == ReceivePack || s == LFSUpload }

// String is the name without "git-", as in errors.
func (s Service) String() string { return strings.TrimPrefix(string(s), "git-") }

// Error makes a refusal an error.
func (r *Refuse) Error() string {
	text := r.Text
	if text == "" {
		text = r.Code.String()
	}
	if len(r.Names) > 0 {
		text = fmt.Sprintf("%s: %s", text, strings.Join(r.Names, ", "))
	}
	return text
}

// Is makes errors.Is compare refusals by their code.
func (r *Refuse) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == r.Code
}
