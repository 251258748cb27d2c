package transport

import (
	"crypto/tls"
	"testing"
)

func TestChooseMechanism(t *testing.T) {
	all := []string{"PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "X-OAUTH2"}
	for name, c := range map[string]struct {
		mechanisms []string
		bindings   []string
		version    uint16
		want       string
	}{
		"tls 1.3 with tls-exporter":        {all, []string{"tls-exporter"}, tls.VersionTLS13, "SCRAM-SHA-256-PLUS"},
		"tls 1.3, server doesn't say how":  {all, nil, tls.VersionTLS13, "SCRAM-SHA-256"},
		"tls 1.3, another kind of binding": {all, []string{"tls-server-end-point"}, tls.VersionTLS13, "SCRAM-SHA-256"},
		"tls 1.2, server doesn't say how":  {all, nil, tls.VersionTLS12, "SCRAM-SHA-256-PLUS"},
		"tls 1.2 with tls-exporter alone":  {all, []string{"tls-exporter"}, tls.VersionTLS12, "SCRAM-SHA-256"},
		"tls 1.2 with tls-unique":          {all, []string{"tls-unique"}, tls.VersionTLS12, "SCRAM-SHA-256-PLUS"},
		"weaker hash, with binding":        {[]string{"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256"}, []string{"tls-exporter"}, tls.VersionTLS13, "SCRAM-SHA-1-PLUS"},
		"plain is the last":                {[]string{"PLAIN", "SCRAM-SHA-1"}, nil, tls.VersionTLS13, "SCRAM-SHA-1"},
		"plain alone":                      {[]string{"PLAIN"}, nil, tls.VersionTLS13, "PLAIN"},
		"nothing that we know":             {[]string{"DIGEST-MD5"}, nil, tls.VersionTLS13, ""},
	} {
		f := &features{Mechanisms: c.mechanisms}
		for _, b := range c.bindings {
			f.Bindings = append(f.Bindings, struct {
				Type string `xml:"type,attr"`
			}{b})
		}
		got, ok := choose(f, c.version)
		if got.Name != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, want %q", name, got.Name, c.want)
		}
	}
}
