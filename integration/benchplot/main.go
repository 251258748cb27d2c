// Command benchplot draws pictures of what benchmarks have kept in a file: benchplot FILE FOLDER.
//
// It must not know how anything was measured: it draws curves, and rates over time.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
)

// A file is what the benchmarks have kept, as far as it is drawn.
type file struct {
	Tables map[string]struct {
		Rows   []row   `json:"rows"`
		Traces []trace `json:"traces"`
	} `json:"tables"`
}

// A row is a point of a curve, if it has one.
type row struct {
	Unit   string  `json:"unit"`
	Curve  string  `json:"curve"`
	X      float64 `json:"x"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// A trace is a rate over time.
type trace struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Every  float64   `json:"every"`
	Values []float64 `json:"values"`
	Marks  []struct {
		At   float64 `json:"at"`
		Text string  `json:"text"`
	} `json:"marks"`
}

// slowest is the rate at which pictures of rates begin that differ by much.
const slowest = 0.05 // MB/s

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: benchplot FILE FOLDER")
		os.Exit(2)
	}
	if err := drawAll(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "benchplot:", err)
		os.Exit(1)
	}
}

// drawAll draws what there is in a file.
func drawAll(from, dir string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	pictures := map[string]func() (*plot.Plot, error){}
	if t, ok := f.Tables["inband"]; ok {
		pictures["rate-over-delay"] = func() (*plot.Plot, error) {
			p, err := curves(t.Rows, "A stream in band, and one connection of ssh's", "ms from each of the two to the server, one way", func(name string) bool {
				return name == "ssh" || strings.HasSuffix(name, "one QUIC stream") || strings.HasSuffix(name, "bare messages")
			})
			if err == nil {
				logarithmic(p, slowest)
			}
			return p, err
		}
	}
	if t, ok := f.Tables["many"]; ok {
		pictures["rate-over-clients"] = func() (*plot.Plot, error) {
			return curves(t.Rows, "Pushes of many at once", "clients", func(string) bool { return true })
		}
	}
	for _, t := range f.Tables["traces"].Traces {
		name, _, _ := strings.Cut(t.Name, ",")
		pictures["rate-"+strings.ReplaceAll(name, " ", "-")] = func() (*plot.Plot, error) { return overTime(t) }
	}
	for name, picture := range pictures {
		p, err := picture()
		if err == nil {
			err = save(p, filepath.Join(dir, name+".svg"))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
