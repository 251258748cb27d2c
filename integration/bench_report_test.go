package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// benchFileEnv names the file in which what is measured is kept for programs: a [benchFile].
const benchFileEnv = "BENCH_JSON"

// A benchFile is what was measured last, a table for each subject.
type benchFile struct {
	Machine  benchMachine           `json:"machine"`
	Versions map[string]string      `json:"versions"` // by program
	Tables   map[string]*benchTable `json:"tables"`   // by benchmark
}

// A benchTable is what one benchmark has measured.
type benchTable struct {
	Note    string        `json:"note"`
	At      time.Time     `json:"at"`
	Rounds  int           `json:"rounds"`
	Seconds float64       `json:"seconds"` // that all rounds took
	Load    string        `json:"load"`    // at the end
	Rows    []benchResult `json:"rows"`
	Traces  []benchTrace  `json:"traces,omitempty"`
}

// A benchResult is a benchRow with what came of it.
type benchResult struct {
	Over   string    `json:"over"`
	What   string    `json:"what"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"` // by round
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Ratio  float64   `json:"ratio,omitempty"`
	To     string    `json:"to,omitempty"` // what Ratio is to
	Curve  string    `json:"curve,omitempty"`
	X      float64   `json:"x,omitempty"`
}

// A benchTrace is what was seen every so many seconds while something ran once.
type benchTrace struct {
	Name   string      `json:"name"`
	Unit   string      `json:"unit"`
	Every  float64     `json:"every"` // seconds
	Values []float64   `json:"values"`
	Marks  []benchMark `json:"marks,omitempty"`
}

// A benchMark is something that happened then.
type benchMark struct {
	At   float64 `json:"at"` // seconds
	Text string  `json:"text"`
}

// benchReport measures rows, prints a table and keeps it.
func benchReport(b *testing.B, name string, rows []*benchRow, rounds int, note string, traces ...benchTrace) {
	b.Helper()
	done, took := benchRun(b, rows, rounds)
	benchKeep(b, name, rows, done, took, note, traces...)
	fmt.Printf("\n%s: %d rounds in %v%s. %s\n\n", name, done, took.Round(time.Second), machineLoad(), note)
	if err := printBench(os.Stdout, rows); err != nil {
		b.Fatal(err)
	}
	fmt.Println()
	b.ReportMetric(0, "ns/op") // the table says it all
}

// benchKeep puts a table into the file that is to have it, if there is one, in the place of the last one of its name.
func benchKeep(b *testing.B, name string, rows []*benchRow, rounds int, took time.Duration, note string, traces ...benchTrace) {
	b.Helper()
	path := os.Getenv(benchFileEnv)
	if path == "" {
		return
	}
	file, err := readBenchFile(path)
	if err != nil {
		b.Fatal(err)
	}
	file.Machine = thisMachine()
	for program, version := range benchVersions(b) {
		file.Versions[program] = version
	}
	table := &benchTable{Note: note, At: time.Now().UTC().Truncate(time.Second), Rounds: rounds, Seconds: rounded(took.Seconds()), Load: loadAverage(), Traces: traces}
	for _, r := range rows {
		table.Rows = append(table.Rows, r.result())
	}
	file.Tables[name] = table
	if err := file.write(path); err != nil {
		b.Fatal(err)
	}
}

func (r *benchRow) result() benchResult {
	values := r.values()
	for i := range values {
		values[i] = rounded(values[i])
	}
	result := benchResult{
		Over: r.over, What: r.name, Unit: r.unit(), Values: values, Median: medianOf(values), Min: slices.Min(values), Max: slices.Max(values), Curve: r.curve, X: r.x,
	}
	if ratio, to := r.ratio(); to != nil {
		result.Ratio, result.To = rounded(ratio), to.over+", "+to.name
	}
	return result
}

// rounded leaves out digits that mean nothing.
func rounded(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// readBenchFile reads what earlier benchmarks have kept; a file that isn't there is empty.
func readBenchFile(path string) (*benchFile, error) {
	file := &benchFile{Versions: make(map[string]string), Tables: make(map[string]*benchTable)}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	if err == nil {
		err = json.Unmarshal(text, file)
	}
	return file, err
}

func (f *benchFile) write(path string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "\t")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(f); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}
