package main

import (
	"image/color"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// figures are the plots: a group of bars per load, a bar per stack.
var figures = []struct {
	file, title string
	metric      string
	scale       float64
	loads       []string
}{
	{"bulk.svg", "Gbit/s", "gbps", 1, []string{"up-1", "up-8", "up-64", "down-1", "down-8", "down-64"}},
	{"rates.svg", "1000 round trips/s", "rate", 1e-3, []string{"echo-1-core", "echo-32", "udp-32", "ping"}},
	{"connections.svg", "1000 connections/s", "rate", 1e-3, []string{"connect-rst", "connect-fin"}},
}

// barWidth is the width of one bar in points.
const barWidth = 9

// palette has a colour for each real stack.
var palette = slices.Concat(plotutil.SoftColors, plotutil.DarkColors)

func (r *results) plots(dir string) error {
	for _, f := range figures {
		p := plot.New()
		p.Y.Label.Text = f.title
		p.Y.Min = 0
		p.Legend.Top = true
		p.NominalX(f.loads...)
		all := r.stacks()
		for i, name := range all {
			values := make(plotter.Values, len(f.loads))
			for j, load := range f.loads {
				if v := r.values(load, name, f.metric); len(v) > 0 {
					values[j] = median(v) * f.scale
				}
			}
			bars, err := plotter.NewBarChart(values, vg.Points(barWidth))
			if err != nil {
				return err
			}
			bars.Color = palette[i%len(palette)]
			if strings.HasPrefix(name, "reflector") {
				bars.Color = color.Gray{Y: 200}
			}
			bars.LineStyle.Width = 0
			bars.Offset = vg.Points(barWidth * (float64(i) - float64(len(all)-1)/2))
			p.Add(bars)
			p.Legend.Add(name, bars)
		}
		width := vg.Points(float64(len(f.loads)*(len(all)+2)*barWidth) + 160)
		if err := p.Save(width, 9*vg.Centimeter, filepath.Join(dir, f.file)); err != nil {
			return err
		}
	}
	return nil
}
