package main

import (
	"cmp"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	width, height = 18 * vg.Centimeter, 10 * vg.Centimeter
	lineWidth     = vg.Length(1.5)
	// headroom is how much higher than what is drawn a picture is, for its legend.
	headroom = 1.3
	// logHeadroom is that of a logarithmic one, in which less is to be seen of the same factor.
	logHeadroom = 8
)

// save writes a picture with a white background, for readers whose page is dark.
func save(p *plot.Plot, path string) error {
	p.BackgroundColor = color.White
	return p.Save(width, height, path)
}

func newPicture(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Legend.Top, p.Legend.Padding, p.Legend.XOffs = true, vg.Millimeter, -2*vg.Millimeter
	p.Add(plotter.NewGrid())
	return p
}

// points are the rows of a curve, with medians and spread.
type points []row

func (p points) Len() int                { return len(p) }
func (p points) XY(i int) (x, y float64) { return p[i].X, p[i].Median }
func (p points) YError(i int) (low, high float64) {
	return p[i].Median - p[i].Min, p[i].Max - p[i].Median
}

// curves draws those of the rows' curves that are wanted.
func curves(rows []row, title, x string, want func(name string) bool) (*plot.Plot, error) {
	byName := make(map[string]points)
	var names []string
	for _, r := range rows {
		if r.Curve == "" || !want(r.Curve) {
			continue
		}
		if byName[r.Curve] == nil {
			names = append(names, r.Curve)
		}
		byName[r.Curve] = append(byName[r.Curve], r)
	}
	p := newPicture(title, x, "MB/s, median and spread")
	highest := 0.0
	for i, name := range names {
		all := byName[name]
		slices.SortFunc(all, func(a, b row) int { return cmp.Compare(a.X, b.X) })
		for _, r := range all {
			highest = max(highest, r.Max)
		}
		line, dots, err := plotter.NewLinePoints(all)
		if err != nil {
			return nil, err
		}
		spread, err := plotter.NewYErrorBars(all)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = plotutil.Color(i), lineWidth
		dots.Color, dots.Shape, spread.Color = line.Color, draw.CircleGlyph{}, line.Color
		p.Add(line, dots, spread)
		p.Legend.Add(name, line, dots)
	}
	p.Y.Min, p.Y.Max = 0, highest*headroom
	return p, nil
}

// logarithmic is for curves whose rates differ by much.
func logarithmic(p *plot.Plot, lowest float64) {
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{}
	p.Y.Min, p.Y.Max = lowest, p.Y.Max*logHeadroom
}

// overTime draws a trace with its marks.
func overTime(t trace) (*plot.Plot, error) {
	p := newPicture(t.Name, "seconds", t.Unit)
	var rate plotter.XYs
	highest := 0.0
	for i, v := range t.Values {
		rate = append(rate, plotter.XY{X: float64(i+1) * t.Every, Y: v})
		highest = max(highest, v)
	}
	line, err := plotter.NewLine(rate)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = plotutil.Color(0), lineWidth
	p.Add(line)
	for i, m := range t.Marks {
		at, err := plotter.NewLine(plotter.XYs{{X: m.At, Y: 0}, {X: m.At, Y: highest * headroom}})
		if err != nil {
			return nil, err
		}
		at.Color, at.Dashes = plotutil.Color(i+1), plotutil.Dashes(1)
		p.Add(at)
		p.Legend.Add(m.Text, at)
	}
	p.Y.Min, p.Y.Max = 0, highest*headroom
	return p, nil
}
