package imports

// module is this module's name, the prefix of its packages' import paths.
const module = "git-remote-xmpp"

// anything in rule.uses lets a package import all of this module that the
// rule doesn't forbid otherwise.
const anything = "..."

// rule says what a package and the packages below it may import. Tests are free.
// A name that ends in "/..." means a package and everything below it; names of
// this module's packages are relative to it and begin with "./".
type rule struct {
	pkg     string
	uses    []string // what it may import of this module; its own subpackages always
	imports []string // what it must not import itself
	reaches []string // what it must not depend on in any number of steps
	why     string
}

var rules = []rule{
	{
		pkg:     "./chunk",
		imports: []string{"os/...", "net/...", "syscall"},
		reaches: []string{"github.com/quic-go/...", "github.com/go-git/...", "gosrc.io/..."},
		why:     "packing packets into payloads is pure: bytes in, bytes out",
	},
	{
		pkg:     "./protocol",
		imports: []string{"os/...", "net/...", "syscall"},
		reaches: []string{"github.com/quic-go/...", "github.com/go-git/...", "gosrc.io/..."},
		why:     "what peers say to each other is a format, whatever carries it and whatever acts on it",
	},
	{
		pkg:     "./transport",
		uses:    []string{"./chunk", "./internal/slots"},
		imports: []string{"os/exec", "gosrc.io/xmpp"},
		reaches: []string{"github.com/go-git/..."},
		why:     "it carries streams between peers and knows no git; of gosrc.io/xmpp only the stanzas are sound",
	},
	{
		pkg:     "./transport/direct",
		imports: []string{"os/..."},
		reaches: []string{"github.com/quic-go/...", "github.com/go-git/...", "gosrc.io/...", "mellium.im/..."},
		why:     "it finds a way between two machines over UDP, whatever is carried and whoever introduces them",
	},
	{
		pkg:     "./internal/notice",
		uses:    []string{},
		imports: []string{"os/exec", "net/..."},
		reaches: []string{"github.com/charmbracelet/bubbletea"},
		why:     "it draws a line, whatever that says: whoever waits says for what",
	},
	{
		pkg:     "./internal/statusview",
		uses:    []string{"./internal/serve", "./internal/syncer"},
		imports: []string{"os/...", "net/...", "./internal/agent"},
		why:     "it draws what it is given: text for so many columns and lines, which tables can test",
	},
	{
		pkg:     "./internal/schedule",
		imports: []string{"os/...", "net/...", "syscall"},
		reaches: []string{"github.com/...", "gosrc.io/...", "mellium.im/..."},
		why:     "the queue decides what runs next and does nothing else, so a fake clock can test it",
	},
	{
		pkg:     "./internal/completion",
		imports: []string{"os/...", "net/...", "syscall"},
		reaches: []string{"github.com/...", "gosrc.io/...", "mellium.im/..."},
		why:     "how a command line goes on is in the usage lines; whoever asks finds keys and remotes",
	},
	{
		pkg:     "./internal/helper",
		uses:    []string{anything},
		reaches: []string{"./transport", "./internal/xmppserver", "github.com/quic-go/...", "gosrc.io/..."},
		why:     "it speaks git's protocol over a stream that somebody else opened: pipes can test it",
	},
	{
		pkg:     "./internal/tunnel",
		uses:    []string{"./protocol"},
		imports: []string{"os/...", "net/...", "syscall"},
		reaches: []string{"github.com/quic-go/...", "github.com/go-git/...", "gosrc.io/..."},
		why:     "it watches a stream of frames, whatever carries it and whatever it is for",
	},
	{
		pkg:     "./internal/lfs",
		uses:    []string{"./internal/disk", "./internal/tunnel", "./protocol"},
		imports: []string{"os/exec", "net/..."},
		reaches: []string{"github.com/quic-go/...", "github.com/go-git/...", "gosrc.io/..."},
		why:     "it carries objects between a stream and a folder, and knows neither peers nor git",
	},
	{
		pkg:     "./internal/vouch",
		uses:    []string{"./internal/peers", "./protocol"},
		imports: []string{"os/...", "net/...", "syscall"},
		reaches: []string{"./transport", "github.com/quic-go/...", "github.com/go-git/...", "gosrc.io/..."},
		why:     "both ends of a connection say the same of third ones, whatever carries it",
	},
	{
		pkg:     "./internal/agent",
		uses:    []string{"./internal/client", "./protocol", "./transport"},
		imports: []string{"os/exec", "github.com/quic-go/...", "gosrc.io/..."},
		reaches: []string{"./internal/repo", "./internal/serve", "github.com/go-git/..."},
		why:     "it carries streams through a socket and knows their errors, not what they are for nor what carries them on",
	},
	{
		pkg:     "./internal/serve",
		uses:    []string{anything},
		imports: []string{"./chunk", "./internal/helper", "./internal/xmppserver", "github.com/quic-go/...", "gosrc.io/..."},
		why:     "it serves streams: no stanzas, no packets; of the asking side it knows whom to tell what peers have said",
	},
	{
		pkg:     "./internal/service",
		uses:    []string{"./internal/statefile"},
		reaches: []string{"github.com/quic-go/...", "github.com/go-git/...", "gosrc.io/...", "mellium.im/..."},
		why:     "it puts a command line before whoever runs services, whatever it does",
	},
	{
		pkg:     "./internal/syncer",
		uses:    []string{anything},
		imports: []string{"os/exec", "net/...", "./chunk", "./internal/helper", "./internal/xmppserver", "github.com/quic-go/...", "gosrc.io/..."},
		reaches: []string{"./internal/serve"},
		why:     "it has conversations and has pushes run, and knows neither stanzas nor how git is run",
	},
	{
		pkg:     "./internal/doctor",
		uses:    []string{"./internal/client", "./internal/peers", "./internal/tunnel", "./protocol", "./transport"},
		imports: []string{"os/...", "github.com/quic-go/...", "gosrc.io/..."},
		reaches: []string{"./internal/serve", "./internal/repo"},
		why:     "it asks those who do the work otherwise, and changes nothing",
	},
	{
		pkg:     "./internal/metrics",
		uses:    []string{},
		imports: []string{"os/..."},
		reaches: []string{"github.com/quic-go/...", "github.com/go-git/...", "gosrc.io/..."},
		why:     "it shows figures: whoever has them hands them over",
	},
	{
		pkg:     "./internal/notify",
		uses:    []string{},
		imports: []string{"os/...", "net/...", "syscall"},
		reaches: []string{"github.com/...", "gosrc.io/..."},
		why:     "it says in words what it was told: whoever knows git tells it, whoever knows XMPP sends it",
	},
	{
		pkg:     "./internal/refname",
		imports: []string{"os/...", "net/...", "syscall"},
		reaches: []string{"github.com/...", "gosrc.io/...", "mellium.im/..."},
		why:     "names are text: whoever keeps them or compares them needs no repository",
	},
	{
		pkg:     "./internal/repo",
		uses:    []string{anything},
		reaches: []string{"./transport", "./internal/serve", "github.com/quic-go/...", "gosrc.io/..."},
		why:     "it knows repositories, not who asks for them nor from where",
	},
	{
		pkg:     "./internal/peers",
		uses:    []string{anything},
		reaches: []string{"./transport", "./internal/serve", "github.com/quic-go/...", "gosrc.io/..."},
		why:     "whom to trust is kept on disk and must be readable without a connection",
	},
	{
		pkg:     "./internal/watch",
		uses:    []string{},
		imports: []string{"os/exec", "net/..."},
		reaches: []string{"github.com/go-git/..."},
		why:     "it tells that files have changed, and knows nobody who cares",
	},
	{
		pkg:     "./internal/statefile",
		uses:    []string{"./internal/disk"},
		imports: []string{"os/exec", "net/..."},
		why:     "it keeps files for several packages and doesn't know what is in them",
	},
	{
		pkg:     "./internal/logins",
		uses:    []string{"./internal/statefile"},
		imports: []string{"os/exec", "net/..."},
		reaches: []string{"./transport"},
		why:     "it keeps names in a file; what they mean is for who logs in",
	},
	{
		pkg:     "./internal/config",
		uses:    []string{anything},
		reaches: []string{"./transport", "./internal/serve", "github.com/quic-go/...", "gosrc.io/..."},
		why:     "settings are read before there is anything to connect to",
	},
	{
		pkg:     "./internal/xmppserver",
		reaches: []string{"github.com/quic-go/...", "github.com/go-git/..."},
		why:     "an XMPP server that knew its clients' program would prove nothing about other servers",
	},
}

// joiners are the packages that may put the asking side and the transport
// together, which nobody else may reach both of.
var joiners = []string{"./cmd/...", "./integration/...", "./internal/demo/..."}

// ends are what only joiners may reach both of.
var ends = []string{"./internal/helper", "./transport"}

// leaves are what nobody but joiners may import.
var leaves = []string{"./cmd/...", "./integration/...", "./internal/demo/..."}
