package statefile

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Whatever a file holds: what is let through passes its check and is written so that it is read as the same; all else is one line with the file's name.
func FuzzDocument(f *testing.F) {
	for _, text := range []string{
		"", "{}", `{"version":1}`, `{"version":1,"content":{"numbers":[1,2]}}`, `{"version":1,"content":null}`, `{"version":1,"content":{"numbers":[-1]}}`, `{"version":2,"content":[]}`,
		`{"Version":1,"CONTENT":{"Numbers":[1]}}`, `{"version":1,"version":2,"content":{}}`, "{\"version\":1,\n\"content\":{\"numbers\":[\x1b", `{"version":-9223372036854775809}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := Document[content]{Path: "/file", Remedy: "remove it"}
		got, err := d.decode([]byte(text))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewer) || !strings.HasPrefix(err.Error(), d.Path) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Fatalf("%q", err)
			}
			return
		}
		if err := got.Check(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		data, err := json.MarshalIndent(envelope[content]{d.version(), *got}, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.decode(data)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("%+v, again %+v, %v", got, again, err)
		}
	})
}
