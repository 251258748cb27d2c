package completion

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

var testCommands = []Command{
	{Name: "serve", Usage: "[--base-path DIR [--export-all]] [--name NAME] [REPO...]", About: "serve"},
	{Name: "invite", Usage: "[--read | --refs PATTERNS] [--expires 24h] [REPO]"},
	{Name: "peers", Usage: "[--json] [REPO] | set KEY --access read|write|none [--refs PATTERNS] [REPO] | set KEY --label TEXT | remove KEY"},
	{Name: "server", Usage: "--listen ADDR [--account user:password]... [--accounts-file FILE]"},
	{Name: "sync", Usage: "[REMOTE...]"},
	{Name: "completion", Usage: "bash|zsh|fish"},
	{Name: "demo"},
	{Name: "help", Usage: "[COMMAND]"},
}

func request(words string) Request {
	r := Request{Commands: testCommands, Words: strings.Split(words, " ")}
	for i := range r.Commands {
		r.Commands[i].FlagAbout = func(name string) string { return "about " + name }
	}
	r.Find = func(name string) []Candidate {
		return map[string][]Candidate{
			"KEY": {
				{Text: "SHA256:abc/+", About: "Laptop bob@example.org", Also: []string{"Laptop", "abc/+"}},
				{Text: "SHA256:xyz", Also: []string{"", "xyz"}},
			},
			"REMOTE": {{Text: "origin"}, {Text: "a b"}, {Text: "$(touch x)"}, {Text: "other"}},
		}[name]
	}
	return r
}

func TestAnswer(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"s", "words serve server sync"},
		{"serv", "words serve server"},
		{"", "words serve invite peers server sync completion demo help"},
		{"-", "words"},
		{"nothing ", "words"},
		{"help c", "words completion"},
		{"help serve ", "words"},
		{"demo ", "words"},
		{"demo -", "words --help"},
		{"completion ", "words bash zsh fish"},
		{"completion z", "words zsh"},
		{"completion bash ", "words"},

		{"serve ", "folders"},
		{"serve one ", "folders"},
		{"serve --", "words --base-path --export-all --name --help"},
		{"serve --base-path ", "folders"},
		{"serve --base-path=", "folders"},
		{"serve --base-path dir --", "words --export-all --name --help"},
		{"serve --base-path=dir --e", "words --export-all"},
		{"serve --export-all ", "folders"},
		{"serve --name ", "words"},
		{"serve --name --", "words"},
		{"serve -- --", "folders"},
		{"serve --unknown ", "folders"},
		{"invite --read --", "words --refs --expires --help"},
		{"invite --expires ", "words"},

		{"peers ", "folders set remove"},
		{"peers --", "words --json --access --refs --label --help"},
		{"peers repo ", "words"},
		{"peers set ", "words SHA256:abc/+ SHA256:xyz"},
		{"peers set SHA256:x", "words SHA256:xyz"},
		{"peers set ab", "words SHA256:abc/+"},
		{"peers set lap", "words SHA256:abc/+"},
		{"peers set q", "words"},
		{"peers set K --", "words --access --refs --label --help"},
		{"peers set K --access ", "words read write none"},
		{"peers set K --access=", "words --access=read --access=write --access=none"},
		{"peers set K --access=r", "words --access=read"},
		{"peers --access w", "words write"},
		{"peers set K --access read ", "folders"},
		{"peers set K repo ", "words"},
		{"peers remove ", "words SHA256:abc/+ SHA256:xyz"},
		{"peers remove K ", "words"},
		{"peers remove --", "words --help"},

		{"server --account a:b --", "words --listen --account --accounts-file --help"},
		{"server --account ", "words"},
		{"server --accounts-file ", "files"},
		{"sync ", "words origin other"},
		{"sync origin o", "words origin other"},
	} {
		answer := request(c.line).Answer()
		got := []string{string(answer.Kind)}
		for _, candidate := range answer.Candidates {
			got = append(got, candidate.Text)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q: %v, want %s", c.line, got, c.want)
		}
	}
}

func TestPrint(t *testing.T) {
	for line, want := range map[string]string{
		"peers set ": "words\nSHA256:abc/+\tLaptop bob@example.org\nSHA256:xyz\t\n",
		"serve --n":  "words\n--name\tabout name\n",
		"ser":        "words\nserve\tserve\nserver\t\n",
	} {
		var out bytes.Buffer
		if err := request(line).Answer().Print(&out); err != nil || out.String() != want {
			t.Errorf("%q: %q, %v, want %q", line, &out, err, want)
		}
	}
	var out bytes.Buffer
	odd := Answer{Kind: Words, Candidates: []Candidate{{Text: "x", About: "a\nb\tc\x1b[1m"}}}
	if err := odd.Print(&out); err != nil || out.String() != "words\nx\ta b c [1m\n" {
		t.Errorf("%q, %v", &out, err)
	}
}

func TestForms(t *testing.T) {
	forms := Forms("[--read | --refs PATTERNS] [--account user:pass]... [REPO...] | set KEY | bash|zsh")
	want := []Form{
		{"[--read | --refs PATTERNS] [--account user:pass]... [REPO...]",
			[]Flag{{"--read", "", false}, {"--refs", "PATTERNS", false}, {"--account", "user:pass", true}}, []Arg{{"REPO", true}}},
		{"set KEY", nil, []Arg{{"set", false}, {"KEY", false}}},
		{"bash|zsh", nil, []Arg{{"bash|zsh", false}}},
	}
	if !slices.EqualFunc(forms, want, func(a, b Form) bool {
		return a.Usage == b.Usage && slices.Equal(a.Flags, b.Flags) && slices.Equal(a.Args, b.Args)
	}) {
		t.Errorf("%+v, want %+v", forms, want)
	}
	if forms := Forms(""); len(forms) != 1 || forms[0].Usage != "" || forms[0].Flags != nil || forms[0].Args != nil {
		t.Errorf("of nothing: %+v", forms)
	}
}

// TestScripts looks whether there is one for each shell.
func TestScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if text, ok := Script(shell); !ok || !strings.Contains(text, "git-remote-xmpp completion answer --") || !strings.Contains(text, "git-xmpp") {
			t.Errorf("%s: %v, %q", shell, ok, text)
		}
	}
	if _, ok := Script("tcsh"); ok {
		t.Error("there is a script for a shell that there is none for")
	}
}
