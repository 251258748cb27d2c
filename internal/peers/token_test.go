package peers

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
)

func sampleToken() Token {
	var t Token
	for i := range t.Key {
		t.Key[i] = byte(i)
	}
	for i := range t.Resource {
		t.Resource[i] = byte(0x40 + i)
	}
	for i := range t.Secret {
		t.Secret[i] = byte(0xf0 + i)
	}
	return t
}

func TestTokenText(t *testing.T) {
	token := sampleToken()
	text := token.String()
	const want = "AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fQEFCQ0RFRkfw8fLz9PX29_j5-vv8_f7_o0FIOA"
	if text != want {
		t.Errorf("%s, want %s", text, want)
	}
	back, err := ParseToken(text)
	if err != nil || back != token {
		t.Errorf("%v, %v", back, err)
	}
	if ResourceName(back.Resource) != "git-4041424344454647" {
		t.Errorf("resource %s", ResourceName(back.Resource))
	}
}

func TestDamagedToken(t *testing.T) {
	text := sampleToken().String()
	for i := range text { // every character counts
		other := "A"
		if text[i] == 'A' {
			other = "B"
		}
		if _, err := ParseToken(text[:i] + other + text[i+1:]); !errors.Is(err, ErrBadInvite) {
			t.Errorf("character %d changed: %v", i, err)
		}
		if _, err := ParseToken(text[:i]); !errors.Is(err, ErrBadInvite) {
			t.Errorf("cut off at %d: %v", i, err)
		}
	}
	for _, bad := range []string{text + "A", text + "=", text + "\n", " " + text, text[:40] + "\n" + text[40:], text[:40] + "\n" + text[41:]} {
		if _, err := ParseToken(bad); !errors.Is(err, ErrBadInvite) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	text := sampleToken().String()
	f.Add(text)
	f.Add("")
	f.Add(Token{}.String())
	f.Add(text[:40] + "\r\n" + text[42:])
	f.Add(text[:81] + "B")
	f.Add(base64.RawURLEncoding.EncodeToString(make([]byte, tokenBytes)))
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ParseToken(s)
		if err == nil && token.String() != s {
			t.Errorf("%q came back as %q", s, token)
		}
	})
}

// TestKnockTagIsFixed has the bytes that both sides must agree on, computed by
// another implementation of HMAC.
func TestKnockTagIsFixed(t *testing.T) {
	secret := sampleToken().Secret
	if got, want := hex.EncodeToString(KnockTag(secret, bob)), "f2991326dfd34550cf16544db2544a96"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestPrintingASecretHidesIt(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(verb, sampleToken().Secret); out != "(secret)" {
			t.Errorf("%s: %s", verb, out)
		}
	}
}
