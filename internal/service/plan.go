package service

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// name is what service managers know us by.
const name = "git-remote-xmpp"

// A Definition is what is to be run.
type Definition struct {
	Program string   // absolute path
	Args    []string // paths among them are absolute
	Env     []string // name=value; no secrets
}

// A Place is where a user's services are.
type Place struct {
	GOOS   string
	Home   string // absolute
	Config string // XDG_CONFIG_HOME; may be empty
	Data   string // our own folder
	UID    int
	User   string // for Windows: domain\name
}

// A Plan is a file, and what makes the service manager take it in.
type Plan struct {
	File    string
	Content []byte
	// Probe succeeds if the service manager answers. Then Before ends what was there, if there was something, and Enable begins; Disable ends it for good, and
	// Reload is run when the file has gone.
	Probe           []string
	Before          [][]string
	Enable, Disable [][]string
	Reload          [][]string
	Hints           []string // what else the user should know
	comment         comment
}

// ErrNoManager says that the system has no service manager that we know.
var ErrNoManager = errors.New("no service manager of this system is known here: have it run git-remote-xmpp serve by yourself")

// Plan says how the definition becomes a service of a user's.
func (d Definition) Plan(at Place) (Plan, error) {
	for _, text := range append(append([]string{d.Program}, d.Args...), d.Env...) {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return Plan{}, fmt.Errorf("%q can't be in the definition of a service", text)
		}
	}
	switch at.GOOS {
	case "linux":
		return d.systemd(at)
	case "darwin":
		return d.launchd(at)
	case "windows":
		return d.task(at)
	}
	return Plan{}, ErrNoManager
}

func (d Definition) systemd(at Place) (Plan, error) {
	if strings.Contains(d.Program, "$") {
		return Plan{}, fmt.Errorf("systemd can't run a program with a $ in its path: %s", d.Program)
	}
	config := at.Config
	if !filepath.IsAbs(config) {
		config = path.Join(at.Home, ".config")
	}
	unit := name + ".service"
	systemctl := func(args ...string) []string { return append([]string{"systemctl", "--user"}, args...) }
	return Plan{
		File: path.Join(config, "systemd", "user", unit), Content: []byte(unitComment.sign(d.unit())), comment: unitComment,
		Probe: systemctl("show", "--property=Version"), Enable: [][]string{systemctl("daemon-reload"), systemctl("enable", unit), systemctl("restart", unit)},
		Disable: [][]string{systemctl("disable", "--now", unit)}, Reload: [][]string{systemctl("daemon-reload")},
		Hints: []string{"its log: journalctl --user --unit=" + name, "to have it run while you aren't logged in: loginctl enable-linger"},
	}, nil
}

func (d Definition) launchd(at Place) (Plan, error) {
	file, domain := path.Join(at.Home, "Library", "LaunchAgents", name+".plist"), "gui/"+strconv.Itoa(at.UID)
	log := path.Join(at.Home, "Library", "Logs", name+".log")
	return Plan{
		File: file, Content: []byte(xmlComment.sign(d.plist(log))), comment: xmlComment,
		Probe: []string{"launchctl", "print", domain}, Before: [][]string{{"launchctl", "bootout", domain + "/" + name}}, Enable: [][]string{{"launchctl", "bootstrap", domain, file}},
		Disable: [][]string{{"launchctl", "bootout", domain + "/" + name}}, Hints: []string{"its log: " + log},
	}, nil
}

func (d Definition) task(at Place) (Plan, error) {
	file := at.Data + `\` + name + ".xml"
	return Plan{
		File: file, Content: utf16Text(taskComment.sign(d.taskXML(at.User))), comment: taskComment,
		Probe:   []string{"schtasks", "/Query", "/FO", "LIST", "/TN", `\`},
		Before:  [][]string{{"schtasks", "/End", "/TN", name}},
		Enable:  [][]string{{"schtasks", "/Create", "/F", "/TN", name, "/XML", file}, {"schtasks", "/Run", "/TN", name}},
		Disable: [][]string{{"schtasks", "/End", "/TN", name}, {"schtasks", "/Delete", "/F", "/TN", name}},
	}, nil
}

// mark is what the last line of a file of ours says, before a sum of all that is above it.
const mark = "written by git-remote-xmpp's serve, sha256 " // no -- may be in a comment of XML

// A comment is how a kind of file has one.
type comment struct{ before, after string }

var (
	unitComment = comment{"# ", "\n"}
	xmlComment  = comment{"<!-- ", " -->\n"}
	taskComment = comment{"<!-- ", " -->\r\n"}
)

// sign is text with a last line by which it can be told whether it was changed.
func (c comment) sign(text string) string {
	sum := sha256.Sum256([]byte(text))
	return text + c.before + mark + hex.EncodeToString(sum[:]) + c.after
}

// signed tells whether a text is as sign has made it.
func (c comment) signed(text string) bool {
	at := strings.LastIndex(text, c.before+mark)
	return at >= 0 && c.sign(text[:at]) == text
}
