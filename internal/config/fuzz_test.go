package config

import (
	"maps"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"mellium.im/xmpp/jid"
)

// Whatever a setting's value is: it is refused, in one line that shows not too much of it, or is one of those that there may be.
func FuzzSettings(f *testing.F) {
	for _, text := range []string{
		"", "alice@example.org", "alice@example.org/x", "example.org:5222", "tls://[::1]:5223", "tls://a:0", "120", "86401", "-1", "0x10", "fallback", "never", "true", "off", "2",
		"123E4567-e89b-12d3-a456-426614174000", "/tmp/trace", "~/trace", "a\x00b", "\x1b[2J", "ＥＸ@ǅ.example",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range knownSettings() {
			s := Settings{from: newSource("/work", []string{})}
			if !k.set(&s, text) {
				continue
			}
			if text == "" { // isn't a value
				continue
			}
			if account := s.Account.String(); k.key == "xmpp.account" {
				if again, err := jid.Parse(account); err != nil || !again.Equal(s.Account) || s.Account.Resourcepart() != "" || s.Account.Localpart() == "" {
					t.Fatalf("%q is the account %q, %v", text, account, err)
				}
			}
			if k.key == "xmpp.server" {
				host, port, err := net.SplitHostPort(s.Server.HostPort)
				if n, portErr := strconv.Atoi(port); err != nil || portErr != nil || n < 1 || n > 65535 || strings.ContainsAny(host, " /\n\x00'<") {
					t.Fatalf("%q is the server %+v", text, s.Server)
				}
			}
			if s.UUID != "" {
				if id, err := uuid.Parse(s.UUID); err != nil || id.String() != s.UUID {
					t.Fatalf("%q is the UUID %q", text, s.UUID)
				}
			}
			if s.Timeout < 0 || s.Timeout > 24*time.Hour || k.key == "xmpp.timeout" && s.Timeout < time.Second || s.MaxPushes < 0 || s.MaxPushes > maxRuns || s.MaxFetches < 0 || s.MaxFetches > maxRuns ||
				s.ProtocolVersion < 0 || s.ProtocolVersion > 2 || s.Trace.File != "" && !filepath.IsAbs(s.Trace.File) {
				t.Fatalf("%q: %+v", text, s)
			}
		}
		if q := quote(text); len(q) > 4*maxQuotedBytes+10 || strings.ContainsAny(q, "\n\x1b\x00") {
			t.Fatalf("%q is shown as %s", text, q)
		}
	})
}

// What git says of settings is read as it is: no key is made up or lost.
func FuzzParseSettings(f *testing.F) {
	f.Add("xmpp.account\nalice@example.org\x00xmpp.sync\x00xmpp.account\nbob@example.org\x00")
	f.Add("\n\x00\x00x\n\n\x00")
	f.Fuzz(func(t *testing.T, out string) {
		values := parseSettings([]byte(out))
		var text strings.Builder
		for key, value := range values {
			if key == "" || strings.ContainsAny(key, "\n\x00") || !strings.Contains(out, key) || value != "true" && !strings.Contains(out, "\n"+value) {
				t.Fatalf("%q has %q: %q", out, key, value)
			}
			text.WriteString(key + "\n" + value + "\x00")
		}
		if again := parseSettings([]byte(text.String())); !maps.Equal(values, again) {
			t.Fatalf("%q, again %q", values, again)
		}
	})
}

// Whatever a credential helper answers: a password that is let through has no line of its own to add.
func FuzzCredential(f *testing.F) {
	f.Add("protocol=xmpp\nhost=example.org\npassword=secret\n", "password")
	f.Add("password=a\r\npassword=b\nquit=1\n", "password")
	f.Add("password\n=\npassword=", "")
	f.Fuzz(func(t *testing.T, out, key string) {
		value := credentialValue([]byte(out), key)
		if strings.Contains(value, "\n") || value != "" && !strings.Contains(out, "="+value) && !strings.Contains(out, value) {
			t.Fatalf("%q is %q", key, value)
		}
		if !badCredential(value) && strings.ContainsAny(value, "\n\r\x00") {
			t.Fatalf("%q", value)
		}
	})
}

// Whatever the environment says, the folders are absolute ones.
func FuzzDirs(f *testing.F) {
	f.Add("/home/a", "", "/run/user/1")
	f.Add("home", "../data", "run")
	f.Add("", "/data/..", "\x00")
	f.Fuzz(func(t *testing.T, home, data, run string) {
		dirs, err := FindDirs([]string{"HOME=" + home, "XDG_DATA_HOME=" + data, "XDG_RUNTIME_DIR=" + run})
		if err == nil && (!filepath.IsAbs(dirs.Data) || !filepath.IsAbs(dirs.Runtime) || filepath.Base(dirs.Data) != dirName) {
			t.Fatalf("%+v", dirs)
		}
		other, otherErr := FindDirs([]string{"HOME=" + home + "/other", "XDG_DATA_HOME=" + data + "/other", "XDG_RUNTIME_DIR=" + run})
		if err == nil && otherErr == nil && other.Data != dirs.Data && other.Runtime == dirs.Runtime {
			t.Fatalf("%+v and %+v meet", dirs, other)
		}
	})
}
