package transport

import (
	"encoding/xml"
	"testing"

	"mellium.im/xmpp/jid"
)

// Only what comes from our own account's server counts as a copy, or as of the archive.
func TestNoteOther(t *testing.T) {
	s := &session{cfg: &Config{Account: jid.MustParse("alice@localhost")}}
	item := func(space, name string) xml.StartElement {
		return xml.StartElement{Name: xml.Name{Space: space, Local: name}, Attr: []xml.Attr{{Name: xml.Name{Local: "id"}, Value: "7"}}}
	}
	for _, from := range []string{"mallory@localhost", "mallory@localhost/x", "alice@localhost/phone", "localhost", "not@@valid"} {
		s.noteOther(message{from: from, other: item(nsCarbons, "sent")})
		s.noteOther(message{from: from, other: item(nsArchive, "result")})
	}
	if n, id := s.copies.Load(), s.archived.Load(); n != 0 || id != nil {
		t.Errorf("others' counted: %d, %v", n, id)
	}
	for i, from := range []string{"", "alice@localhost"} {
		s.noteOther(message{from: from, other: item(nsCarbons, "received")})
		s.noteOther(message{from: from, other: item(nsArchive, "result")})
		if n, id := s.copies.Load(), s.archived.Load(); n != int64(i+1) || id == nil || *id != "7" {
			t.Errorf("from %q: %d, %v", from, n, id)
		}
	}
}
