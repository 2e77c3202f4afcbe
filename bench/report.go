package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// noisy is the spread of a reflector's row above which the machine was too noisy for the row.
const noisy = 0.25

// report prints the tables and writes them, the raw figures and the plots to the output directory.
func report(o options, r *results) error {
	text := r.markdown()
	fmt.Print(text)
	if o.out == "" {
		return nil
	}
	raw, err := r.json()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, "results.md"), []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, "results.json"), raw, 0o644); err != nil {
		return err
	}
	return r.plots(o.out)
}

func (r *results) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s; medians of %d interleaved rounds of %g s, in parentheses the spread (largest less smallest, of the median).\n\n",
		r.Time.Format("2006-01-02"), r.Machine, r.Rounds, r.Seconds)
	r.table(&b)
	b.WriteString("\nRatios are medians of each round's own.\n\n")
	r.goals(&b)
	r.noise(&b)
	r.failures(&b)
	return b.String()
}

// table writes a line per row and a column per stack.
func (r *results) table(b *strings.Builder) {
	columns := r.stacks()
	fmt.Fprintf(b, "| | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---:|", len(columns)))
	for _, w := range rows {
		var cells []string
		empty := true
		for _, stack := range columns {
			cell := "-"
			if v := r.values(w.load, stack, w.metric); len(v) > 0 {
				cell, empty = w.cell(v), false
			}
			cells = append(cells, cell)
		}
		if !empty {
			fmt.Fprintf(b, "| %s | %s |\n", w.title, strings.Join(cells, " | "))
		}
	}
}

func (w *row) cell(v []float64) string {
	scale := w.scale
	if scale == 0 {
		scale = 1
	}
	s := fmt.Sprintf(w.format, median(v)*scale)
	if len(v) > 1 {
		s += fmt.Sprintf(" (%.0f %%)", spread(v)*100)
	}
	return s
}

// goals writes the goals and the results.
func (r *results) goals(b *strings.Builder) {
	b.WriteString("| goal | of | to be | is | |\n|---|---|---:|---:|---|\n")
	met, all := 0, 0
	for _, w := range rows {
		for _, g := range w.goals {
			v := r.ratios(w.load, g.stack, g.peer, w.metric)
			if g.peer == "" {
				v = r.values(w.load, g.stack, w.metric)
			}
			if len(v) == 0 {
				continue
			}
			all++
			verdict, bound := "missed", "at least"
			if w.lower {
				bound = "at most"
			}
			is := median(v)
			if w.lower && is <= g.bound || !w.lower && is >= g.bound {
				met++
				verdict = "met"
			}
			fmt.Fprintf(b, "| %s | %s | %s %.2f | %.2f | %s |\n", w.title, g.of(), bound, g.bound, is, verdict)
		}
	}
	fmt.Fprintf(b, "\n%d of %d goals met.\n", met, all)
}

func (g *goal) of() string {
	if g.peer == "" {
		return g.stack
	}
	return g.stack + " / " + g.peer
}

// noise judges the machine by the reflectors, which vary only with the machine, and by the load average.
func (r *results) noise(b *strings.Builder) {
	loud, all, worst, where := 0, 0, 0.0, ""
	for _, w := range rows {
		for _, stack := range []string{reflectorVnet, reflectorPlain} {
			v := r.values(w.load, stack, w.metric)
			if len(v) < 2 {
				continue
			}
			all++
			s := spread(v)
			if s > noisy {
				loud++
			}
			if s > worst {
				worst, where = s, w.title+", "+stack
			}
		}
	}
	fmt.Fprintf(b, "\nLoad average of the machine before the first measurement: %.1f.", r.LoadAverage)
	if loud > 0 {
		fmt.Fprintf(b, " THE MACHINE WAS TOO NOISY for %d of the reflectors' %d figures, whose spread is above %.0f %% (worst: %s, %.0f %%): "+
			"other programs were at work, and the ratios of those rows mean little.", loud, all, noisy*100, where, worst*100)
	}
	b.WriteString("\n")
}

func (r *results) failures(b *strings.Builder) {
	for _, c := range r.Cells {
		for _, e := range c.Errors {
			fmt.Fprintf(b, "\n%s on %s failed: %s\n", c.Load, c.Stack, e)
		}
	}
}
