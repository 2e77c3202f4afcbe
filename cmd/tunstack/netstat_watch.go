package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"tunstack/socketapi"
)

// minWatch prevents a mistyped --watch from becoming a busy loop.
const minWatch = 10 * time.Millisecond

// watchNetstat prints the output for f at once and again at each tick, until ctx ends, which is not an error.
func (a *app) watchNetstat(ctx context.Context, f *netstatFlags, tick <-chan time.Time) error {
	s := &screen{out: a.out, plain: f.json}
	print := func(out io.Writer) error { return a.netstat(ctx, f, out) }
	if f.statistics && !f.json {
		print = (&growth{fetch: func() ([]socketapi.Counter, error) { return a.counters(ctx) }}).print
	}
	for {
		var b bytes.Buffer
		switch err := print(&b); {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		if err := s.show(b.String()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
	}
}

// growth prints counters with their increase since the last print.
type growth struct {
	fetch func() ([]socketapi.Counter, error)
	last  map[string]uint64 // nil: before the first print
}

func (g *growth) print(w io.Writer) error {
	rows, err := g.fetch()
	if err != nil {
		return err
	}
	width, now := nameWidth(rows), map[string]uint64{}
	for _, c := range rows {
		now[c.Name] = c.Value
		if c.Value == 0 {
			continue
		}
		added := ""
		if d := c.Value - g.last[c.Name]; g.last != nil && d > 0 {
			added = fmt.Sprintf("+%d", d)
		}
		fmt.Fprintf(w, "%-*s %12d %9s  %s\n", width, c.Name, c.Value, added, meaning(c))
	}
	g.last = now
	return nil
}

// Control sequences of terminals (ECMA-48).
const (
	clearScreen = "\x1b[2J"
	home        = "\x1b[H" // moves the cursor to the top left
	clearLine   = "\x1b[K" // clears from the cursor on
	clearBelow  = "\x1b[J"
)

// screen shows consecutive texts: on a terminal each in the place of the last one, elsewhere below it, after an empty line.
type screen struct {
	out   io.Writer
	plain bool // without an empty line between
	shown bool // a text was shown before
}

func (s *screen) show(text string) error {
	if columns, rows := terminalSize(s.out); columns > 0 && !s.plain {
		text = inPlace(text, columns, rows, !s.shown)
	} else if s.shown && !s.plain {
		text = "\n" + text
	}
	s.shown = true
	_, err := io.WriteString(s.out, text)
	return err
}

// inPlace is the sequence for a terminal to show text at its top over the last text. It overwrites line by line, without
// flicker. Lines that do not fit are left out, and the last row says how many.
func inPlace(text string, columns, rows int, first bool) string {
	var b strings.Builder
	if first {
		b.WriteString(clearScreen)
	}
	b.WriteString(home)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	fit := fitting(lines, columns, rows-1) // the cursor takes a row
	if fit < len(lines) {
		fit = fitting(lines, columns, rows-2)
	}
	for _, line := range lines[:fit] {
		b.WriteString(line + clearLine + "\n")
	}
	if left := len(lines) - fit; left > 0 {
		fmt.Fprintf(&b, "... %d more lines%s\n", left, clearLine)
	}
	b.WriteString(clearBelow)
	return b.String()
}

// fitting is the number of lines that fit into rows; long lines wrap.
func fitting(lines []string, columns, rows int) int {
	for i, line := range lines {
		width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "        "))
		rows -= max(1, (width+columns-1)/columns)
		if rows < 0 {
			return i
		}
	}
	return len(lines)
}
