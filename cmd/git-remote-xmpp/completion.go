package main

import (
	"context"
	"io"
	"strings"
	"time"

	"git-remote-xmpp/internal/completion"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"github.com/spf13/pflag"
)

// maxCompletionTime is how long somebody who has hit a key may wait.
const maxCompletionTime = 5 * time.Second

// completionCommand prints a script for a shell, or answers one: the scripts have `completion answer -- <words>` say what can come.
func completionCommand(ctx context.Context, std stdio, args []string) error {
	rest, err := parseFlags("completion", std, args, func(*pflag.FlagSet) {})
	if err != nil {
		return err
	}
	if len(rest) > 0 && rest[0] == "answer" {
		ctx, cancel := context.WithTimeout(ctx, maxCompletionTime)
		defer cancel()
		return answerShell(ctx, std, rest[1:])
	}
	if len(rest) == 1 {
		if script, ok := completion.Script(rest[0]); ok {
			_, err := io.WriteString(std.out, script)
			return err
		}
	}
	return usagef("completion: expected bash, zsh or fish")
}

// answerShell says how a command line can go on.
func answerShell(ctx context.Context, std stdio, words []string) error {
	request := completion.Request{Words: words, Find: func(name string) []completion.Candidate {
		switch name {
		case "KEY":
			return knownKeys()
		case "REMOTE":
			return knownRemotes(ctx)
		}
		return nil
	}}
	for _, c := range commands() {
		request.Commands = append(request.Commands, completion.Command{
			Name: c.name, Usage: c.usage, About: c.summary, FlagAbout: func(name string) string { return flagAbout(ctx, c, name) },
		})
	}
	return request.Answer().Print(std.out)
}

func flagAbout(ctx context.Context, c command, name string) string {
	flags, err := flagsOf(ctx, c)
	if err != nil || flags.Lookup(name) == nil {
		return ""
	}
	return flags.Lookup(name).Usage
}

// knownKeys are the peers' keys, which are found by labels, too. It makes no files; where there are none it knows nobody.
func knownKeys() (list []completion.Candidate) {
	dirs, err := config.FindDirs(nil)
	if err != nil {
		return nil
	}
	known, err := peers.Open(dirs.Data).List()
	if err != nil {
		return nil
	}
	for _, p := range known {
		key := p.Key.String()
		_, short, _ := strings.Cut(key, ":")
		about := strings.TrimSpace(p.Label + " " + strings.Join(p.Addresses, " "))
		list = append(list, completion.Candidate{Text: key, About: about, Also: []string{p.Label, short}})
	}
	return list
}

// knownRemotes are the remotes of the repository that we stand in. Their URLs may have invites in them.
func knownRemotes(ctx context.Context) (list []completion.Candidate) {
	r, err := repo.FromEnv(ctx)
	if err != nil {
		return nil
	}
	remotes, err := r.Remotes(ctx)
	if err != nil {
		return nil
	}
	for _, remote := range remotes {
		about := ""
		if to, err := config.ParseRemote(remote.URL); err == nil {
			about = displayName(to)
		}
		list = append(list, completion.Candidate{Text: remote.Name, About: about})
	}
	return list
}
