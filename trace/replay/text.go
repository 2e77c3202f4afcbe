package replay

import (
	"fmt"
	"io"
	"strings"
)

// Write writes the result as text: a line for each segment, and one with the totals.
func (r *Result) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is played anew; %s as recorded\n", r.Connection.Own, r.Connection.Peer)
	for i := range r.Lines {
		r.Lines[i].write(&b)
	}
	fmt.Fprintf(&b, "%d the same, %d differ (~), %d only recorded (-), %d only ours (+)\n",
		r.Count(Same), r.Count(Differs), r.Count(Recorded), r.Count(Ours))
	_, err := io.WriteString(w, b.String())
	return err
}

func (l *Line) write(b *strings.Builder) {
	state, arrow, note := "", "<--", l.Note
	if l.Sign != Peer {
		arrow = "-->"
	}
	if l.Sign != Peer && l.Sign != Recorded {
		state = l.State.String()
	}
	switch {
	case note != "" && l.Sign == Differs:
		note = "  ! ours: " + note
	case note != "":
		note = "  ! " + note
	}
	fmt.Fprintf(b, "%c %10.6f %-12s %s %s%s\n", l.Sign, l.At.Seconds(), state, arrow, l.Segment.String(), note)
}
