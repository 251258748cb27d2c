package service

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

var update = flag.Bool("update", false, "write the golden files anew")

// awkward has in it all that has a meaning in one of the files.
var awkward = Definition{
	Program: `/home/bob/my programs/git-remote-xmpp`,
	Args:    []string{"serve", "--metrics=127.0.0.1:9469", `--base-path=/home/bob/$HOME %h "src" & <all>\`, ""},
	Env:     []string{"PATH=/usr/bin:/opt/100% \"x\\y\" & z", "XDG_DATA_HOME=/home/bob/d$ta"},
}

var places = map[string]Place{
	"unit":  {GOOS: "linux", Home: "/home/bob"},
	"plist": {GOOS: "darwin", Home: "/Users/bob", UID: 501},
	"task":  {GOOS: "windows", Data: `C:\Users\bob\AppData\Roaming\git-remote-xmpp`, User: `LAPTOP\bob`},
}

func TestGolden(t *testing.T) {
	for kind, at := range places {
		plan, err := awkward.Plan(at)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, list := range [][][]string{{{plan.File}, plan.Probe}, plan.Before, plan.Enable, plan.Disable, plan.Reload} {
			for _, c := range list {
				text.WriteString("# " + strings.Join(c, " ") + "\n")
			}
		}
		text.WriteString(strings.ReplaceAll(plainText(plan.Content), "\r\n", "\n"))
		golden := filepath.Join("testdata", kind+".golden")
		if *update {
			if err := os.WriteFile(golden, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got := text.String(); got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", kind, got, want)
		}
	}
	if _, err := awkward.Plan(Place{GOOS: "freebsd"}); !errors.Is(err, ErrNoManager) {
		t.Errorf("elsewhere: %v", err)
	}
	for _, bad := range []string{"a\nb", "a\x00", "\xff"} {
		if _, err := (Definition{Program: "/x", Args: []string{bad}}).Plan(places["unit"]); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// systemd itself finds nothing wrong with the unit.
func TestUnitBySystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze isn't installed")
	}
	program, err := os.Executable() // it must be there
	if err != nil {
		t.Fatal(err)
	}
	d := awkward
	d.Program = program
	verify := func(change func(string) string) string {
		t.Helper()
		home := t.TempDir()
		plan, err := d.Plan(Place{GOOS: "linux", Home: home})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(home, filepath.Base(plan.File))
		if err := os.WriteFile(file, []byte(change(string(plan.Content))), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), analyze, "--user", "verify", file)
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "HOME="+home)
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, said)
		}
		return string(said)
	}
	if said := verify(func(s string) string { return s }); said != "" {
		t.Errorf("it says %s", said)
	}
	if said := verify(func(s string) string { return strings.Replace(s, "WatchdogSec=", "WatchdogSek=", 1) }); !strings.Contains(said, "WatchdogSek") {
		t.Errorf("a key that there isn't goes unnoticed: %s", said)
	}
}

// words reads all texts of these elements, by a parser of XML.
func words(t *testing.T, text, element string) (list []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // it was decoded
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == element {
			var s string
			if err := d.DecodeElement(&s, &start); err != nil {
				t.Fatal(err)
			}
			list = append(list, s)
		}
	}
}

// What a parser reads from the agent and the task is what was put in.
func TestXML(t *testing.T) {
	agent, err := awkward.Plan(places["plist"])
	if err != nil {
		t.Fatal(err)
	}
	want := append([]string{"git-remote-xmpp", awkward.Program}, awkward.Args...)
	for _, kv := range awkward.Env {
		_, value, _ := strings.Cut(kv, "=")
		want = append(want, value)
	}
	want = append(want, "/Users/bob/Library/Logs/git-remote-xmpp.log", "/Users/bob/Library/Logs/git-remote-xmpp.log")
	if got := words(t, string(agent.Content), "string"); !slices.Equal(got, want) {
		t.Errorf("the agent has %q, want %q", got, want)
	}
	task, err := awkward.Plan(places["task"])
	if err != nil {
		t.Fatal(err)
	}
	if units := utf16.Encode([]rune(plainText(task.Content))); len(task.Content) != 2+2*len(units) {
		t.Error("the task isn't in UTF-16")
	}
	if got := words(t, plainText(task.Content), "Command"); !slices.Equal(got, []string{awkward.Program}) {
		t.Errorf("the task runs %q", got)
	}
	wantArgs := []string{`serve --metrics=127.0.0.1:9469 "--base-path=/home/bob/$HOME %h \"src\" & <all>\\" ""`}
	if got := words(t, plainText(task.Content), "Arguments"); !slices.Equal(got, wantArgs) {
		t.Errorf("the task's arguments are %q", got)
	}
}

// Whether somebody has changed a file can be told, wherever the change is.
func TestSigned(t *testing.T) {
	for _, c := range []comment{unitComment, xmlComment, taskComment} {
		text := c.sign("a\nb\n")
		if !c.signed(text) {
			t.Errorf("%q counts as changed", text)
		}
		for _, changed := range []string{"", "a\nb\n", " " + text, text + "c\n", text[:len(text)-1], strings.Replace(text, "a", "A", 1), strings.ReplaceAll(text, "sha256 ", "sha256 0")} {
			if c.signed(changed) {
				t.Errorf("%q counts as unchanged", changed)
			}
		}
	}
}
