package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/statusview"
)

// The document of another release is printed as it is.
func TestStatusJSON(t *testing.T) {
	document, err := json.Marshal(statusview.Document{Serving: true, Status: serve.Status{
		Limits: serve.Limits{Pushes: 1}, Waiting: []serve.Run{{Before: 1}}, Complete: true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	document = append(bytes.TrimSuffix(document, []byte("}")), `,"new":[1]}`...)
	var out bytes.Buffer
	if err := indentJSON(&out, document); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := json.Compact(&again, out.Bytes()); err != nil || !bytes.Equal(again.Bytes(), document) {
		t.Errorf("%s became %s, %v", document, again.Bytes(), err)
	}
	for _, want := range []string{"\n  \"serving\": true,\n", "\n      \"before\": 1,\n", "\n    \"maxPushes\": 1,\n", "\n  \"repositoriesComplete\": true,\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("said\n%s\nwithout %q", out.String(), want)
		}
	}
}
