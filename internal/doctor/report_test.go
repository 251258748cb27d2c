package doctor

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func steps() (s Steps) {
	s.OK("settings", "account %s", "a@b")
	s.advise("one\ntwo")
	s.None("services", "never")
	var remote Steps
	remote.Fail("online", errors.New("it\nisn't there"), "<wait>")
	for i := range remote {
		remote[i].Remote = "origin, b@c/proj"
	}
	return append(s, remote...)
}

func TestPrint(t *testing.T) {
	const want = `✓ settings  account a@b
            → one: two
– services  never
origin, b@c/proj
✗ online    it: isn't there
            → <wait>
`
	var out bytes.Buffer
	if err := steps().Print(&out); err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
	if n := steps().Failures(); n != 1 {
		t.Errorf("%d failures", n)
	}
}

func TestPrintJSON(t *testing.T) {
	const want = `{"software": "x 1", "ok": false, "steps": [
		{"name": "settings", "state": "ok", "evidence": "account a@b", "advice": "one: two"},
		{"name": "services", "state": "none", "evidence": "never"},
		{"remote": "origin, b@c/proj", "name": "online", "state": "failed", "evidence": "it: isn't there", "advice": "<wait>"}]}`
	var out bytes.Buffer
	plain := func(text string) string { return strings.Join(strings.Fields(text), "") }
	if err := steps().PrintJSON(&out, "x 1"); err != nil || plain(out.String()) != plain(want) {
		t.Errorf("%v\n%s", err, out.String())
	}
	out.Reset()
	if err := (Steps{}).PrintJSON(&out, "x"); err != nil || !strings.Contains(out.String(), `"ok": true`) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// HEAD and what a tag leads to are no refs of their own.
func TestCountRefs(t *testing.T) {
	const id = "1111111111111111111111111111111111111111"
	line := func(text string) string { return "00" + hexByte(len(text)+4) + text }
	for text, want := range map[string]int{
		line(id+" HEAD\x00caps refs/x\n") + line(id+" refs/heads/main\n") + line(id+" refs/tags/v1\n") + line(id+" refs/tags/v1^{}\n") + "0000more": 2,
		line(strings.Repeat("0", 40)+" capabilities^{}\x00caps\n") + "0000":                                                                         0,
		line(id + " refs/heads/main\n"): -1,
		"nonsense":                      -1,
		"":                              -1,
	} {
		n, err := countRefs(strings.NewReader(text))
		if err != nil {
			n = -1
		}
		if n != want {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}

func hexByte(n int) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[n>>4], digits[n&15]})
}
