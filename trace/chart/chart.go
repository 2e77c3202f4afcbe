// Package chart plots a traced connection: its windows, its round trips, and what it got done, over time.
package chart

import (
	"bytes"
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgimg" // the format png
	_ "gonum.org/v1/plot/vg/vgsvg" // the format svg

	"tunstack/trace"
)

// Size of a picture, of the space at its edges, and of that on its right for the legends.
const (
	width  = 24 * vg.Centimeter
	height = 18 * vg.Centimeter
	margin = 4 * vg.Millimeter
	aside  = 40 * vg.Millimeter
)

var (
	blue   = color.RGBA{9, 105, 218, 255}
	green  = color.RGBA{26, 127, 55, 255}
	purple = color.RGBA{130, 80, 223, 255}
	red    = color.RGBA{207, 34, 46, 255}
)

// Write plots a connection as a picture in a format, "svg" or "png".
func Write(w io.Writer, format, title string, s trace.Series) error {
	windows, err := windows(title, s)
	if err != nil {
		return err
	}
	rtt, err := roundTrips(s)
	if err != nil {
		return err
	}
	goodput, err := goodput(s)
	if err != nil {
		return err
	}
	canvas, err := draw.NewFormattedCanvas(width, height, format)
	if err != nil {
		return err
	}
	plots := [][]*plot.Plot{{windows}, {rtt}, {goodput}}
	same(plots)
	drawAll(draw.New(canvas), plots)
	if format != "svg" {
		_, err = canvas.WriteTo(w)
		return err
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	_, err = w.Write(bytes.ReplaceAll(b.Bytes(), []byte(fontFamily), []byte(fontFamily+",Arial,Helvetica,sans-serif")))
	return err
}

// fontFamily is what a picture says of its font, which few systems have: others need to be told what to take instead.
const fontFamily = "font-family:Liberation Sans"

// drawAll draws plots one below the other on white, each with its legend on the right.
func drawAll(c draw.Canvas, plots [][]*plot.Plot) {
	c.FillPolygon(color.White, c.ClipPolygonXY([]vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}}))
	c = draw.Crop(c, margin, -margin, margin, -margin)
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadY: 6 * vg.Millimeter}
	for i, row := range plot.Align(plots, tiles, draw.Crop(c, 0, -aside, 0, 0)) {
		p := plots[i][0]
		legend := p.Legend
		p.Legend = plot.NewLegend()
		p.Draw(row[0])
		beside := row[0]
		beside.Min.X, beside.Max.X = row[0].Max.X+margin, c.Max.X
		legend.Draw(beside)
	}
}

// same gives all plots the same time, and values from 0 to a little more than the largest.
func same(plots [][]*plot.Plot) {
	end := 0.0
	for _, row := range plots {
		end = max(end, row[0].X.Max)
	}
	for _, row := range plots {
		row[0].X.Min, row[0].X.Max, row[0].Y.Min, row[0].Y.Max = 0, end, 0, 1.1*row[0].Y.Max
	}
}

// windows are cwnd, ssthresh and flight, with a mark for each segment that was sent again.
func windows(title string, s trace.Series) (*plot.Plot, error) {
	p := newPlot("KiB")
	p.Title.Text = title
	const kibi = 1.0 / 1024
	lines := []struct {
		name   string
		points []trace.Point
		colour color.Color
		dashes []vg.Length
	}{{"cwnd", s.Cwnd, blue, nil}, {"ssthresh", s.Ssthresh, purple, []vg.Length{4, 4}}, {"flight", s.Flight, green, nil}}
	for _, l := range lines {
		if err := addLine(p, l.name, l.points, kibi, l.colour, l.dashes...); err != nil {
			return nil, err
		}
	}
	marks := make(plotter.XYs, len(s.Resent))
	for i, at := range s.Resent {
		marks[i].X = at.Seconds()
	}
	return p, addMarks(p, fmt.Sprintf("sent again (%d)", len(marks)), marks, red, draw.CrossGlyph{})
}

func roundTrips(s trace.Series) (*plot.Plot, error) {
	p := newPlot("RTT, ms")
	marks := make(plotter.XYs, len(s.RTT))
	for i, r := range s.RTT {
		marks[i] = plotter.XY{X: r.At.Seconds(), Y: r.Value * 1000}
	}
	return p, addMarks(p, "samples", marks, blue, draw.CircleGlyph{})
}

func goodput(s trace.Series) (*plot.Plot, error) {
	p := newPlot("goodput, Mbit/s")
	p.X.Label.Text = "seconds"
	return p, addLine(p, "both directions", s.Goodput, 8e-6, blue)
}

func newPlot(unit string) *plot.Plot {
	p := plot.New()
	p.Y.Label.Text = unit
	p.Legend.Top, p.Legend.Left = true, true
	for _, text := range []*draw.TextStyle{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle,
		&p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		text.Font.Variant = "Sans"
	}
	p.Legend.TextStyle.Font.Size, p.Legend.Padding = 10, 2
	p.Add(plotter.NewGrid())
	return p
}

// addLine adds a line with a name, its values multiplied by scale, each of which holds until the next. None at all is no line.
func addLine(p *plot.Plot, name string, points []trace.Point, scale float64, c color.Color, dashes ...vg.Length) error {
	if len(points) == 0 {
		return nil
	}
	xys := make(plotter.XYs, len(points))
	for i, v := range points {
		xys[i] = plotter.XY{X: v.At.Seconds(), Y: v.Value * scale}
	}
	line, err := plotter.NewLine(xys)
	if err != nil {
		return err
	}
	line.Color, line.Width, line.Dashes, line.StepStyle = c, 1.5, dashes, plotter.PostStep
	p.Add(line)
	p.Legend.Add(name, line)
	return nil
}

func addMarks(p *plot.Plot, name string, xys plotter.XYs, c color.Color, shape draw.GlyphDrawer) error {
	if len(xys) == 0 {
		return nil
	}
	marks, err := plotter.NewScatter(xys)
	if err != nil {
		return err
	}
	marks.Color, marks.Shape, marks.Radius = c, shape, vg.Points(3)
	p.Add(marks)
	p.Legend.Add(name, marks)
	return nil
}
