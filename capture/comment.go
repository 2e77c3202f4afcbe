package capture

import (
	"strings"

	"tunstack/trace"
)

// add appends to the comment of a held packet.
func (h *held) add(text string) {
	if h.Comment != "" {
		text = h.Comment + ", " + text
	}
	h.Comment = text
}

// dropped is the comment on a packet that was dropped.
func dropped(reason, rfc string) string { return "dropped: " + reason + section(rfc) }

// section returns an RFC section in parentheses.
func section(rfc string) string {
	if rfc == "" {
		return ""
	}
	return " (" + rfc + ")"
}

// purpose is the comment on a segment that was sent: the state and the reason.
func (f *flow) purpose(r *trace.Record) string {
	what, rfc := r.Why, r.RFC
	switch {
	case r.Why == "new":
		what = contents(r.Segment)
	case r.Why == "retransmission" && f.loss != nil:
		what, rfc = "retransmission, by "+f.loss.Why, f.loss.RFC
	case r.Why == "probe" && r.Segment.Len == 0:
		what, rfc = "keep-alive probe", "RFC 9293 3.8.4"
	case r.Why == "probe":
		what = "window probe"
	case r.Why == "acknowledgment" && f.delayed:
		what = "delayed ACK"
	case r.Why == "acknowledgment":
		what = "ACK at once"
	}
	return r.Vars.State + ": " + what + section(rfc)
}

// contents lists the new contents of a segment.
func contents(s *trace.Segment) string {
	var parts []string
	if strings.Contains(s.Flags, "S") {
		parts = append(parts, "SYN")
	}
	if s.Len > 0 {
		parts = append(parts, "data")
	}
	if strings.Contains(s.Flags, "F") {
		parts = append(parts, "FIN")
	}
	return strings.Join(parts, ", ")
}
