package trace

import (
	"fmt"
	"io"
	"strings"
)

// WriteMermaid draws a ladder as a sequence diagram in Mermaid's language, which many documentation sites render.
func WriteMermaid(w io.Writer, l *Ladder) error {
	var b strings.Builder
	fmt.Fprintf(&b, "sequenceDiagram\n    participant A as %s\n    participant B as %s\n", l.Local, l.Remote)
	for i := range l.Rungs {
		g := &l.Rungs[i]
		if g.Gap > 0 {
			fmt.Fprintf(&b, "    Note over A,B: %s later\n", duration(g.Gap))
		}
		text := mermaidText(g.Text)
		switch {
		case g.Arrow == Sent && g.Mark == LostMark:
			fmt.Fprintf(&b, "    A-xB: %s\n", text)
		case g.Arrow == Sent && g.Mark == ResentMark:
			fmt.Fprintf(&b, "    A-->>B: %s\n", text)
		case g.Arrow == Sent:
			fmt.Fprintf(&b, "    A->>B: %s\n", text)
		case g.Arrow == Arrived && g.Mark == DroppedMark:
			fmt.Fprintf(&b, "    B-xA: %s\n", text)
		case g.Arrow == Arrived:
			fmt.Fprintf(&b, "    B->>A: %s\n", text)
		case g.Margin != "":
			fmt.Fprintf(&b, "    Note left of A: %s\n", g.Margin)
		default:
			fmt.Fprintf(&b, "    Note over A: %s\n", text)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaidText escapes the characters that have a meaning in Mermaid.
func mermaidText(text string) string {
	return strings.NewReplacer("#", "#35;", ";", "#59;", "<", "#lt;", ">", "#gt;").Replace(text)
}
