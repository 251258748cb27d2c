package pushcmd

import (
	"reflect"
	"strings"
	"testing"
)

func TestGitCommand(t *testing.T) {
	for line, want := range map[string]string{
		"git push origin main":                                   "push|origin main",
		"/usr/lib/git-core/git push --force":                     "push|--force",
		"/usr/lib/git-core/git-push -f":                          "push|-f",
		`C:\Program^Files\Git\bin\git.exe -C d push`:             "push|",
		"git -c alias.p=push -C . --no-pager --git-dir x push a": "push|a",
		"git --git-dir=x remote-xmpp o u":                        "remote-xmpp|o u",
		"git --version":                                          "",
		"bash -c git":                                            "",
		"gitk push":                                              "",
		"":                                                       "",
	} {
		argv := strings.Fields(line)
		for i := range argv {
			argv[i] = strings.ReplaceAll(argv[i], "^", " ")
			if strings.Contains(argv[i], `\`) {
				argv[i] = strings.ReplaceAll(argv[i], `\`, "/") // on Windows both separate
			}
		}
		command, args, ok := gitCommand(argv)
		got := ""
		if ok {
			got = command + "|" + strings.Join(args, " ")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	for line, want := range map[string]*Push{
		"":                              {},
		"origin":                        {},
		"origin main":                   {Refspecs: []string{"main"}},
		"-v origin +a:b tag v1 :c":      {Refspecs: []string{"+a:b", "refs/tags/v1", ":c"}},
		"origin main --force":           {Refspecs: []string{"main"}, Force: true},
		"-fu origin main":               {Refspecs: []string{"main"}, Force: true},
		"--force --no-force origin":     {},
		"--mirror origin":               {Same: true, Force: true},
		"--al o":                        {Same: true},
		"--branches o":                  {Same: true},
		"--tags o":                      {Tags: true},
		"-d origin a b":                 {Refspecs: []string{":a", ":b"}},
		"--delete origin tag":           {Refspecs: []string{":tag"}},
		"--force-with-lease origin x":   {Refspecs: []string{"x"}, LeaseAll: true},
		"--force-with-l o":              {LeaseAll: true},
		"--force-with-lease=a:12 o a b": {Refspecs: []string{"a", "b"}, Leases: []string{"a"}},
		"--force-with-lease=a --force-with-lease=refs/heads/b: o":                         {Leases: []string{"a", "refs/heads/b"}},
		"--force-with-lease=a --no-force-with-lease o":                                    {},
		"--force-if-includes -o f --push-option=g --receive-pack x --repo=y --signed o s": {Refspecs: []string{"s"}},
		"--signed=if-asked --no-signed --no-verify -4 --atomic --recurse-submodules no o": {},
		"-o -f origin": {},
		"origin -- -f": {Refspecs: []string{"-f"}},
		"--unknown o":  nil,
		"--fo o":       nil, // ambiguous
	} {
		if got := parse(strings.Fields(line)); !reflect.DeepEqual(got, want) {
			t.Errorf("push %s: %+v, want %+v", line, got, want)
		}
	}
}
