package completion

import _ "embed"

//go:embed scripts/git-remote-xmpp.bash
var bash string

//go:embed scripts/git-remote-xmpp.zsh
var zsh string

//go:embed scripts/git-remote-xmpp.fish
var fish string

// Script is the script for a shell: bash, zsh or fish. It asks the program by `git-remote-xmpp completion answer -- <words>`.
func Script(shell string) (text string, ok bool) {
	text, ok = map[string]string{"bash": bash, "zsh": zsh, "fish": fish}[shell]
	return text, ok
}
