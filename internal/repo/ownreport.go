package repo

import (
	"cmp"
	"fmt"
	"strings"
)

// parseOwnReport reads what a proc-receive hook has reported, as receive-pack does (read_proc_receive_report), and
// returns it by ref, for each of the commands.
func parseOwnReport(lines []string, commands []command) (reports map[string]report, complaints []string) {
	reports = make(map[string]report)
	for _, c := range commands {
		reports[c.ref] = report{ref: c.ref, reason: "proc-receive failed to report status"}
	}
	complain := func(format string, args ...any) {
		complaints = append(complaints, "proc-receive reported "+fmt.Sprintf(format, args...))
	}
	answered := make(map[string]bool)
	at := "" // the ref that options are about
	for _, line := range lines {
		line = strings.TrimSuffix(line, "\n")
		head, rest, ok := strings.Cut(line, " ")
		ref, text, _ := strings.Cut(rest, " ")
		now, asked := reports[ref]
		switch {
		case !ok:
			complain("incomplete status line: '%s'", line)
			continue
		case head == "option" && at == "":
			complain("'option' without a matching 'ok/ng' directive")
			continue
		case head == "option":
			now = reports[at]
			now.raw = append(now.raw, line)
			now.fallThrough = now.fallThrough || ref == "fall-through"
			reports[at] = now
			continue
		}
		at = ""
		switch {
		case head != "ok" && head != "ng":
			complain("bad status '%s' on ref '%s'", head, ref)
			continue
		case !asked:
			complain("status on unknown ref: %s", ref)
			continue
		}
		if !answered[ref] {
			answered[ref], now.reason = true, ""
		}
		if head == "ng" {
			now.reason = cmp.Or(text, "failed")
		} else {
			now.raw, at = append(now.raw, line), ref
		}
		reports[ref] = now
	}
	return reports, complaints
}
