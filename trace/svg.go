package trace

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// Sizes of a ladder as SVG, in pixels.
const (
	svgWidth  = 940
	svgTop    = 56
	svgStep   = 30
	svgOwn    = 250 // our lane
	svgPeer   = 860 // the peer's
	svgSlope  = 12  // the fall of an arrow
	svgGap    = 22  // additional space for a gap in time
	svgMargin = svgOwn - 12
	svgLetter = 8 // width of a letter, rounded up
)

// svgClass is the CSS class of a mark.
var svgClass = map[Mark]string{
	LostMark: "lost", ResentMark: "resent", DroppedMark: "lost", StateMark: "state", NoteMark: "note",
}

const svgStyle = `<style>
.page{fill:#fff}text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#24292f}
.lane{stroke:#57606a;stroke-width:2}.arrow{stroke:#0969da;stroke-width:1.4}
.lost{stroke:#cf222e;fill:#cf222e}.resent{stroke:#9a6700;fill:#9a6700}text.lost,text.resent{stroke:none}
text.state{font-weight:bold;fill:#8250df}text.note,text.time,text.gap{fill:#6e7781}
.arrow.lost,.arrow.resent{fill:none}.gap{stroke-dasharray:2 4}
@media(prefers-color-scheme:dark){.page{fill:#0d1117}text{fill:#e6edf3}.lane{stroke:#8b949e}.arrow{stroke:#58a6ff}
.lost{stroke:#ff7b72;fill:#ff7b72}.resent{stroke:#d29922;fill:#d29922}
text.state{fill:#d2a8ff}text.note,text.time,text.gap{fill:#8b949e}}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker>
<marker id="cross" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="9" markerHeight="9" orient="auto">
<path d="M0 0L8 8M8 0L0 8" stroke="context-stroke" stroke-width="1.6"/></marker></defs>
`

// WriteSVG draws a ladder as a picture for a page, light or dark.
func WriteSVG(w io.Writer, l *Ladder) error {
	var rungs strings.Builder
	y := svgTop
	for i := range l.Rungs {
		g := &l.Rungs[i]
		if g.Gap > 0 {
			y += svgGap
			svgText(&rungs, "gap", (svgOwn+svgPeer)/2, y-svgStep+2, "middle", duration(g.Gap)+" later")
		}
		svgRung(&rungs, g, y)
		y += svgStep
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="TCP between %s and %s">`+"\n",
		svgWidth, y+10, l.Local, l.Remote)
	b.WriteString(svgStyle)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d" rx="6"/>`+"\n", svgWidth, y+10) // for viewers that do not know whether their page is dark
	for _, lane := range []int{svgOwn, svgPeer} {
		fmt.Fprintf(&b, `<line class="lane" x1="%d" y1="32" x2="%d" y2="%d"/>`+"\n", lane, lane, y)
	}
	svgText(&b, "", svgOwn, 22, "middle", l.Local.String())
	if remote := l.Remote.String(); len(remote)*svgLetter/2 > svgWidth-svgPeer {
		svgText(&b, "", svgWidth-4, 22, "end", remote) // an IPv6 address may be too long for the middle of its lane
	} else {
		svgText(&b, "", svgPeer, 22, "middle", remote)
	}
	b.WriteString(rungs.String())
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// svgRung draws one rung at the height y.
func svgRung(b *strings.Builder, g *Rung, y int) {
	svgText(b, "time", 4, y+4, "start", fmt.Sprintf("%.6f", g.At.Seconds()))
	class := svgClass[g.Mark]
	if g.Margin != "" {
		svgText(b, class, svgMargin, y+4, "end", g.Margin)
	}
	if g.Arrow == NoArrow {
		if g.Text != "" {
			svgText(b, class, (svgOwn+svgPeer)/2, y+4, "middle", g.Text)
		}
		return
	}
	from, to, head := svgOwn, svgPeer, "head"
	if g.Arrow == Arrived {
		from, to = svgPeer, svgOwn
	}
	if g.Mark == LostMark || g.Mark == DroppedMark {
		head = "cross"
	}
	if g.Mark == LostMark {
		to = from + (to-from)*2/3
	}
	fmt.Fprintf(b, `<line class="arrow %s" x1="%d" y1="%d" x2="%d" y2="%d" marker-end="url(#%s)"/>`+"\n",
		class, from, y-svgSlope/2, to, y+svgSlope/2, head)
	svgText(b, class, (svgOwn+svgPeer)/2, y-svgSlope/2-3, "middle", g.Text)
}

func svgText(b *strings.Builder, class string, x, y int, anchor, text string) {
	fmt.Fprintf(b, `<text class="%s" x="%d" y="%d" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(text))
}
