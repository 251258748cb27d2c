package repo

import "testing"

func TestCheckVersion(t *testing.T) {
	for said, want := range map[string]string{
		"git version 2.30.2":               "",
		"git version 2.39.5 (Apple Git-1)": "",
		"git version 2.45.1.windows.1":     "",
		"git version 2.100.0.rc1":          "",
		"git version 3.0.0":                "",
		"git version unknown":              "",
		"something else":                   "",
		"git version 2.29.3":               "git 2.29.3 is too old to serve repositories with: that takes 2.30 or newer",
		"git version 1.99":                 "git 1.99 is too old to serve repositories with: that takes 2.30 or newer",
		"git version 2.9.5 (Apple Git-1)":  "git 2.9.5 is too old to serve repositories with: that takes 2.30 or newer",
	} {
		got := ""
		if err := checkVersion(said); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", said, got, want)
		}
	}
	if err := CheckVersion(t.Context()); err != nil {
		t.Errorf("the git that the tests run with: %v", err)
	}
}
