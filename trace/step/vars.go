package step

import (
	"fmt"
	"strings"
	"time"

	"tunstack/trace"
)

// variables are printed in this order, sequence numbers relative to the initial ones. State changes are printed elsewhere.
var variables = []struct {
	name string
	of   func(*trace.Vars) any
}{
	{"snd.una", func(v *trace.Vars) any { return v.SndUna.Sub(v.ISS) }},
	{"snd.nxt", func(v *trace.Vars) any { return v.SndNxt.Sub(v.ISS) }},
	{"snd.wnd", func(v *trace.Vars) any { return v.SndWnd }},
	{"rcv.nxt", func(v *trace.Vars) any { return v.RcvNxt.Sub(v.IRS) }},
	{"rcv.wnd", func(v *trace.Vars) any { return v.RcvWnd }},
	{"cwnd", func(v *trace.Vars) any { return v.Cwnd }},
	{"ssthresh", func(v *trace.Vars) any { return v.Ssthresh }},
	{"phase", func(v *trace.Vars) any { return v.CAState }},
	{"sacked", func(v *trace.Vars) any { return v.Sacked }},
	{"lost", func(v *trace.Vars) any { return v.Lost }},
	{"srtt", func(v *trace.Vars) any { return v.SRTT.Round(time.Microsecond) }},
	{"rto", func(v *trace.Vars) any { return v.RTO.Round(time.Microsecond) }},
}

// changed lists the variables that differ; if was is zero, only with their new values.
func changed(was, is *trace.Vars) string {
	var list []string
	for _, v := range variables {
		switch a, b := v.of(was), v.of(is); {
		case a == b:
		case *was == trace.Vars{}:
			list = append(list, fmt.Sprintf("%s %v", v.name, b))
		default:
			list = append(list, fmt.Sprintf("%s %v -> %v", v.name, a, b))
		}
	}
	return strings.Join(list, ", ")
}
