package imports

import (
	"encoding/xml"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An extension is how doap.xml, or doc/xmpp.md, says that an XEP is supported.
type extension struct{ version, status string }

// TestXMPP compares what doap.xml and doc/xmpp.md say of extensions of XMPP with each other, and with the code.
func TestXMPP(t *testing.T) {
	text := readText(t, "doc/xmpp.md")
	machine, rows := doap(t), table(t, text)
	described := make(map[string]extension)
	namespaces := make(map[string]bool)
	for number, row := range rows {
		described[number] = extension{row[2], row[3]}
		for _, ns := range quoted(row[4]) {
			namespaces[ns] = true
		}
		where := quoted(row[6])
		for _, file := range where {
			readText(t, file)
		}
		if len(where) == 0 {
			t.Errorf("XEP-%s: nowhere", number)
		}
	}
	if !maps.Equal(machine, described) || len(machine) < 10 {
		t.Errorf("doap.xml:    %v\ndoc/xmpp.md: %v", machine, described)
	}
	code := code(t)
	for ns := range used(code) {
		if !namespaces[ns] {
			t.Errorf("%s is used, and in no row of doc/xmpp.md", ns)
		}
	}
	for ns := range namespaces {
		if !used(code)[ns] {
			t.Errorf("doc/xmpp.md has %s, which no code has", ns)
		}
	}
	for _, name := range regexp.MustCompile(`XEP-[0-9]{4}`).FindAllString(code, -1) {
		if !strings.Contains(text, name) {
			t.Errorf("%s is in the code, and not in doc/xmpp.md", name)
		}
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// doap reads doap.xml: extensions by their numbers.
func doap(t *testing.T) map[string]extension {
	t.Helper()
	var file struct {
		XMLName xml.Name `xml:"http://www.w3.org/1999/02/22-rdf-syntax-ns# RDF"`
		Project struct {
			Implements []struct {
				XEP *struct {
					URL struct {
						Resource string `xml:"http://www.w3.org/1999/02/22-rdf-syntax-ns# resource,attr"`
					} `xml:"https://linkmauve.fr/ns/xmpp-doap# xep"`
					Status  string `xml:"https://linkmauve.fr/ns/xmpp-doap# status"`
					Version string `xml:"https://linkmauve.fr/ns/xmpp-doap# version"`
				} `xml:"https://linkmauve.fr/ns/xmpp-doap# SupportedXep"`
			} `xml:"http://usefulinc.com/ns/doap# implements"`
		} `xml:"http://usefulinc.com/ns/doap# Project"`
	}
	if err := xml.Unmarshal([]byte(readText(t, "doap.xml")), &file); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]extension)
	address := regexp.MustCompile(`^https://xmpp\.org/extensions/xep-([0-9]{4})\.html$`)
	for _, i := range file.Project.Implements {
		if i.XEP == nil {
			continue // an RFC
		}
		number := address.FindStringSubmatch(i.XEP.URL.Resource)
		if number == nil || !slices.Contains([]string{"complete", "partial"}, i.XEP.Status) {
			t.Fatalf("doap.xml: %+v", *i.XEP)
		}
		found[number[1]] = extension{i.XEP.Version, i.XEP.Status}
	}
	return found
}

// table are the rows of doc/xmpp.md's extensions, by their numbers.
func table(t *testing.T, text string) map[string][]string {
	t.Helper()
	rows := make(map[string][]string)
	head := regexp.MustCompile(`^\| \[XEP-([0-9]{4})\]\(https://xmpp\.org/extensions/xep-([0-9]{4})\.html\) \|`)
	for line := range strings.Lines(text) {
		number := head.FindStringSubmatch(line)
		if number == nil {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 7 || number[1] != number[2] || rows[number[1]] != nil {
			t.Fatalf("doc/xmpp.md: %s", line)
		}
		rows[number[1]] = cells
	}
	return rows
}

// quoted are the words of a cell in code quotes.
func quoted(cell string) (words []string) {
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
		words = append(words, m[1])
	}
	return words
}

// code is the text of all Go files that aren't tests or for tests.
func code(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "integration" || e.Name() == ".git") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// used are the namespaces of XEPs in a text. Those that RFCs define have other forms, but for the roster's.
func used(text string) map[string]bool {
	found := make(map[string]bool)
	for _, ns := range regexp.MustCompile(`\b(urn:xmpp:[a-z0-9:-]+|https?://jabber\.org/protocol/[a-z0-9#/-]+|jabber:[a-z]+:[a-z:]+)`).FindAllString(text, -1) {
		found[ns] = true
	}
	delete(found, "jabber:iq:roster") // RFC 6121, 2
	return found
}
