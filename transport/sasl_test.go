package transport

import (
	"crypto/tls"
	"errors"
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

// The example of XEP-0474, and what happens to it on the way.
func TestOfferHash(t *testing.T) {
	f := &features{Mechanisms: []string{"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"}}
	for _, kind := range []string{"tls-server-end-point", "tls-exporter"} {
		f.Bindings = append(f.Bindings, struct {
			Type string `xml:"type,attr"`
		}{kind})
	}
	message := []byte("r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=")
	if err := checkServerFirst(message, "SCRAM-SHA-1-PLUS", f); err != nil {
		t.Error(err)
	}
	if err := checkServerFirst(message, "SCRAM-SHA-256", f); !errors.Is(err, errOfferChanged) {
		t.Errorf("another hash: %v", err)
	}
	f.Bindings = f.Bindings[:1]
	if err := checkServerFirst(message, "SCRAM-SHA-1-PLUS", f); !errors.Is(err, errOfferChanged) {
		t.Errorf("a binding less: %v", err)
	}
	f.Bindings = nil
	if err := checkServerFirst(message, "SCRAM-SHA-1-PLUS", f); !errors.Is(err, errOfferChanged) {
		t.Errorf("no bindings: %v", err)
	}
}
