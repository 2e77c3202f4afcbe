// Package chart plots traced connections over time: windows, round trips and goodput.
package chart

import (
	"bytes"
	"image/color"
	"io"

	"gonum.org/v1/plot"
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

// Connection is one connection in a plot; Name is for the axes and the legend.
type Connection struct {
	Name string
	trace.Series
}

// Write plots connections as a picture in a format, "svg" or "png": the windows of each, the round trips if there is only one, and the
// goodput of all.
func Write(w io.Writer, format, title string, conns ...Connection) error {
	plots, err := plotsOf(conns)
	if err != nil {
		return err
	}
	plots[0].Title.Text = title
	canvas, err := draw.NewFormattedCanvas(width, height, format)
	if err != nil {
		return err
	}
	alignAxes(plots)
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

// fontFamily is the style that vgsvg writes. Few systems have the font, so that Write adds alternatives.
const fontFamily = "font-family:Liberation Sans"

// plotsOf are the plots of connections, from the top to the bottom.
func plotsOf(conns []Connection) ([]*plot.Plot, error) {
	end := endOf(conns)
	var plots []*plot.Plot
	add := func(p *plot.Plot, err error) error {
		plots = append(plots, p)
		return err
	}
	for i := range conns {
		if err := add(windows(&conns[i], end)); err != nil {
			return nil, err
		}
	}
	if len(conns) == 1 {
		if err := add(roundTrips(&conns[0], end)); err != nil {
			return nil, err
		}
	}
	return plots, add(goodput(conns))
}

// alignAxes gives all plots the same time, and values from 0 to a little more than the largest.
func alignAxes(plots []*plot.Plot) {
	end := 0.0
	for _, p := range plots {
		end = max(end, p.X.Max)
	}
	for _, p := range plots {
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, end, 0, 1.1*p.Y.Max
	}
}

// drawAll draws plots one below the other on white, each with its legend on the right.
func drawAll(c draw.Canvas, plots []*plot.Plot) {
	c.FillPolygon(color.White, c.ClipPolygonXY([]vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}}))
	c = draw.Crop(c, margin, -margin, margin, -margin)
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadY: 6 * vg.Millimeter}
	var column [][]*plot.Plot
	for _, p := range plots {
		column = append(column, []*plot.Plot{p})
	}
	for i, row := range plot.Align(column, tiles, draw.Crop(c, 0, -aside, 0, 0)) {
		legend := plots[i].Legend
		plots[i].Legend = plot.NewLegend()
		plots[i].Draw(row[0])
		beside := row[0]
		beside.Min.X, beside.Max.X = row[0].Max.X+margin, c.Max.X
		legend.Draw(beside)
	}
}
