package trace

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Style is the appearance of a ladder as text.
type Style struct {
	Unicode bool // lines and arrows in Unicode, else in ASCII
	Colour  bool // ANSI escape sequences
	Width   int  // columns of a line; 0: 100
}

// Columns of a ladder as text.
const (
	timeColumn   = 10
	marginColumn = 14
	leastWidth   = 60
)

// Header returns the line with the two ends above the lanes.
func (s Style) Header(local, remote string) string {
	left := strings.Repeat(" ", timeColumn+marginColumn+1) + local
	gap := s.line() - utf8.RuneCountInString(left) - len(remote)
	return left + strings.Repeat(" ", max(gap, 1)) + remote + "\n"
}

// Rung returns the text of one rung, with the gap before it if there is one.
func (s Style) Rung(g *Rung) string {
	gap := ""
	if g.Gap > 0 {
		gap = s.row("", "", s.centre(duration(g.Gap)+" later"), colourGap)
	}
	return gap + s.row(fmt.Sprintf("%.6f", g.At.Seconds()), g.Margin, s.body(g), colours[g.Mark])
}

// Write draws a whole ladder.
func (s Style) Write(w io.Writer, l *Ladder) error {
	var b strings.Builder
	b.WriteString(s.Header(l.Local.String(), l.Remote.String()))
	for i := range l.Rungs {
		b.WriteString(s.Rung(&l.Rungs[i]))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// row returns one line: the time, the margin, and the body between the lanes.
func (s Style) row(at, margin, body, colour string) string {
	lane := "|"
	if s.Unicode {
		lane = "│"
	}
	if s.Colour && colour != "" {
		margin = colour + fmt.Sprintf("%-*s", marginColumn, margin) + colourOff
		body = colour + body + colourOff
	}
	return fmt.Sprintf("%*s %-*s%s%s%s\n", timeColumn, at, marginColumn, margin, lane, body, lane)
}

// body returns the text between the lanes.
func (s Style) body(g *Rung) string {
	line, head, tail := "-", "<", ">"
	if s.Unicode {
		line, head, tail = "─", "◀", "▶"
	}
	width := s.inner()
	if g.Arrow == NoArrow {
		return s.centre(g.Text)
	}
	if g.Mark == LostMark || g.Mark == DroppedMark {
		head, tail = "x", "x"
		if s.Unicode {
			head, tail = "✗", "✗"
		}
	}
	text := " " + fit(g.Text, width-8) + " "
	rest := width - utf8.RuneCountInString(text) - 1
	switch {
	case g.Arrow == Sent && g.Mark == LostMark: // its arrow ends before the other lane
		short := rest * 2 / 3
		return strings.Repeat(line, 3) + text + strings.Repeat(line, max(short-3, 0)) + tail + strings.Repeat(" ", rest-max(short, 3))
	case g.Arrow == Sent:
		return strings.Repeat(line, 3) + text + strings.Repeat(line, rest-3) + tail
	default:
		return head + strings.Repeat(line, rest-3) + text + strings.Repeat(line, 3)
	}
}

// centre returns a text centred between the lanes.
func (s Style) centre(text string) string {
	text = fit(text, s.inner()-2)
	n := s.inner() - utf8.RuneCountInString(text)
	return strings.Repeat(" ", n/2) + text + strings.Repeat(" ", n-n/2)
}

// line is the width of a line, inner that between the lanes.
func (s Style) line() int {
	if s.Width == 0 {
		return 100
	}
	return max(s.Width, leastWidth)
}

func (s Style) inner() int { return s.line() - timeColumn - marginColumn - 3 }

// fit cuts a text to a number of columns.
func fit(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns-3]) + "..."
}

// duration formats a time for people.
func duration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.3g s", d.Seconds())
	default:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
}

// ANSI's colours.
const (
	colourOff = "\x1b[0m"
	colourGap = "\x1b[2m"
)

var colours = map[Mark]string{
	LostMark: "\x1b[31m", ResentMark: "\x1b[33m", DroppedMark: "\x1b[31m", StateMark: "\x1b[1;36m", NoteMark: "\x1b[2m",
}
