package chart

import (
	"fmt"
	"image/color"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"tunstack/trace"
)

var (
	blue   = color.RGBA{9, 105, 218, 255}
	green  = color.RGBA{26, 127, 55, 255}
	purple = color.RGBA{130, 80, 223, 255}
	red    = color.RGBA{207, 34, 46, 255}
	orange = color.RGBA{188, 76, 0, 255}
	pink   = color.RGBA{255, 206, 203, 255}
)

// windows plots a connection's cwnd over ssthresh over flight, with the recoveries behind them and a mark for each
// retransmission.
func windows(c *Connection, end time.Duration) (*plot.Plot, error) {
	p := newPlot("KiB")
	if c.Name != "" {
		p.Y.Label.Text = c.Name + ", KiB"
	}
	addRecoveries(p, c.Recoveries)
	const kibi = 1.0 / 1024
	lines := []line{{"flight", c.Flight, green, nil}, {"ssthresh", c.Ssthresh, purple, []vg.Length{4, 4}}, {"cwnd", c.Cwnd, blue, nil}}
	for _, l := range lines {
		if err := l.add(p, kibi, end); err != nil {
			return nil, err
		}
	}
	marks := make([]trace.Point, len(c.Resent))
	for i, at := range c.Resent {
		marks[i].At = at
	}
	return p, addMarks(p, fmt.Sprintf("retransmitted (%d)", len(marks)), scaled(thin(marks, end), 1), red, draw.CrossGlyph{})
}

func roundTrips(c *Connection, end time.Duration) (*plot.Plot, error) {
	p := newPlot("RTT, ms")
	return p, addMarks(p, "samples", scaled(thin(c.RTT, end), 1000), blue, draw.CircleGlyph{})
}

func goodput(conns []Connection) (*plot.Plot, error) {
	p := newPlot("goodput, Mbit/s")
	p.X.Label.Text = "seconds"
	colours := []color.Color{blue, orange, green, purple}
	for i, c := range conns {
		name := c.Name
		if len(conns) == 1 {
			name = "both directions"
		}
		if err := (line{name, c.Goodput, colours[i%len(colours)], nil}).add(p, 8e-6, endOf(conns)); err != nil {
			return nil, err
		}
	}
	return p, nil
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

// line is a line with a name. Each of its values holds until the next.
type line struct {
	name   string
	points []trace.Point
	colour color.Color
	dashes []vg.Length
}

// add draws the line, its values multiplied by scale, in a plot of the time from 0 to end. Without points there is no line.
func (l line) add(p *plot.Plot, scale float64, end time.Duration) error {
	if len(l.points) == 0 {
		return nil
	}
	drawn, err := plotter.NewLine(scaled(thin(l.points, end), scale))
	if err != nil {
		return err
	}
	drawn.Color, drawn.Width, drawn.Dashes, drawn.StepStyle = l.colour, 1.5, l.dashes, plotter.PostStep
	p.Add(drawn)
	p.Legend.Add(l.name, drawn)
	return nil
}

func scaled(points []trace.Point, scale float64) plotter.XYs {
	xys := make(plotter.XYs, len(points))
	for i, v := range points {
		xys[i] = plotter.XY{X: v.At.Seconds(), Y: v.Value * scale}
	}
	return xys
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

// bands fills the times of recoveries from the bottom to the top of a plot.
type bands []trace.Span

func addRecoveries(p *plot.Plot, spans []trace.Span) {
	if len(spans) > 0 {
		p.Add(bands(spans))
		p.Legend.Add(fmt.Sprintf("recovery (%d)", len(spans)), bands(spans))
	}
}

// Plot implements plot.Plotter.
func (b bands) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	for _, s := range b {
		from, to := x(s.From.Seconds()), max(x(s.To.Seconds()), x(s.From.Seconds())+0.5)
		c.FillPolygon(pink, c.ClipPolygonXY([]vg.Point{{X: from, Y: c.Min.Y}, {X: to, Y: c.Min.Y}, {X: to, Y: c.Max.Y}, {X: from, Y: c.Max.Y}}))
	}
}

// Thumbnail implements plot.Thumbnailer.
func (b bands) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(pink, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
}
