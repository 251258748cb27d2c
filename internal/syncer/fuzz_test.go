package syncer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"git-remote-xmpp/internal/statefile"
	"git-remote-xmpp/protocol"
	"mellium.im/xmpp/jid"
)

// Whatever sync.json holds: what is let through names repositories by UUIDs and peers by addresses, and is written so that it is let through again.
func FuzzKept(f *testing.F) {
	const clone = `{"repository":"11111111-1111-4111-8111-111111111111","client":"22222222-2222-4222-8222-222222222222","key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","address":"bob@example.org","announced":"2024-01-01T00:00:00Z"}`
	for _, text := range []string{
		"", `{"version":1,"content":{"clones":[` + clone + `],"waiting":[` + clone + `]}}`, `{"version":1,"content":{"clones":[{"repository":"x"}]}}`,
		`{"version":1,"content":{"waiting":[{"repository":"11111111-1111-4111-8111-111111111111","key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","address":"bob@example.org","name":"proj","offer":true,"ask":true,"byHand":true}]}}`,
	} {
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "sync.json")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file := statefile.Document[kept]{Path: path, Remedy: "remove it"}
		k, err := file.Read()
		if err != nil {
			return
		}
		for _, c := range k.Clones {
			if address, err := jid.Parse(c.Address); err != nil || address.Domainpart() == "" || !protocol.IsUUID(c.Repository) || !protocol.IsUUID(c.Client) {
				t.Fatalf("%+v", c)
			}
		}
		once, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		var again kept
		if err := json.Unmarshal(once, &again); err != nil || again.Check() != nil || len(again.Clones) != len(k.Clones) || !reflect.DeepEqual(again.Waiting, k.Waiting) {
			t.Fatalf("%s, again %+v, %v", once, again, err)
		}
	})
}
