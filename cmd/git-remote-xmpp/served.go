package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/statefile"
)

// servedFile says what the last serve of this installation served: invite reads it.
func (s *setup) servedFile() string { return filepath.Join(s.dirs.Data, "served.json") }

// writeServed is called by the serve that has the lock.
func (s *setup) writeServed(served serve.Served) error {
	text, err := json.MarshalIndent(served, "", "  ")
	if err != nil {
		return err
	}
	return statefile.Replace(s.servedFile(), append(text, '\n'))
}

// readServed is empty if nothing was ever served.
func (s *setup) readServed() (serve.Served, error) {
	var served serve.Served
	text, err := statefile.ReadPrivate(s.servedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return served, nil
	}
	if err != nil {
		return served, err
	}
	if err := json.Unmarshal(text, &served); err != nil {
		return served, fmt.Errorf("%s: %w: remove it, serve makes it anew", s.servedFile(), err)
	}
	return served, nil
}
