package integration

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// A benchRow is one line of the table: something that is measured once in each round.
type benchRow struct {
	over    string // a server, or what is used in its place
	name    string
	bytes   int // of payload, for a rate in MB/s (10^6 bytes); 0: what counts is the time
	measure func() time.Duration
	against []*benchRow // it is compared with the best of these

	// number is measured in place of a time, in a unit of its own; less of it is better. It may be something that an earlier row has measured as well.
	number func() float64
	scale  string

	// A row of a picture is a point of a curve, at x.
	curve string
	x     float64

	took    []time.Duration // by round
	numbers []float64       // by round
}

// round measures it once.
func (r *benchRow) round() {
	if r.number != nil {
		r.numbers = append(r.numbers, r.number())
		return
	}
	r.took = append(r.took, r.measure())
}

// values are what is shown, by round: MB/s or ms, or numbers.
func (r *benchRow) values() []float64 {
	if r.number != nil {
		return slices.Clone(r.numbers)
	}
	values := make([]float64, len(r.took))
	for i, took := range r.took {
		if r.bytes > 0 {
			values[i] = float64(r.bytes) / 1e6 / took.Seconds()
		} else {
			values[i] = took.Seconds() * 1e3
		}
	}
	return values
}

func (r *benchRow) unit() string {
	switch {
	case r.number != nil:
		return r.scale
	case r.bytes > 0:
		return "MB/s"
	default:
		return "ms"
	}
}

// better compares by what is shown: a rate is to be high, all else low.
func (r *benchRow) better(than *benchRow) int {
	order := cmp.Compare(medianOf(r.values()), medianOf(than.values()))
	if r.number == nil && r.bytes > 0 {
		return -order
	}
	return order
}

// ratio is the median of the ratios to the best row of those that it is compared with, each
// within a round: what else the machine does then is the same for both.
func (r *benchRow) ratio() (ratio float64, to *benchRow) {
	if len(r.against) == 0 {
		return 0, nil
	}
	to = slices.MinFunc(r.against, (*benchRow).better)
	ratios, theirs := r.values(), to.values()
	for i := range ratios {
		ratios[i] /= theirs[i]
	}
	return medianOf(ratios), to
}

// medianOf is the middle value, of an even number the lower one of the two.
func medianOf[T float64 | time.Duration](values []T) T {
	return slices.Sorted(slices.Values(values))[(len(values)-1)/2]
}

// printBench writes the table.
func printBench(w io.Writer, rows []*benchRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "over\twhat\tmedian\tmin\tmax\t\tratio\tto") // t keeps its error for Flush
	for i, r := range rows {
		if i > 0 && rows[i-1].over != r.over {
			fmt.Fprintln(t, "\t\t\t\t\t\t\t")
		}
		values := r.values()
		shown := "%s\t%s\t%.1f\t%.1f\t%.1f\t%s"
		if r.unit() == "" { // a ratio
			shown = "%s\t%s\t%.3f\t%.3f\t%.3f\t%s"
		}
		fmt.Fprintf(t, shown, r.over, r.name, medianOf(values), slices.Min(values), slices.Max(values), r.unit())
		if ratio, to := r.ratio(); to != nil {
			fmt.Fprintf(t, "\t%.2f\t%s, %s", ratio, to.over, to.name)
		} else {
			fmt.Fprint(t, "\t\t")
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}
