package trace

import "strings"

// section returns the RFC section that decided the event of a record, for events that do not name it.
func section(r *Record) string {
	switch r.Kind {
	case In:
		return inputSections[r.Vars.State]
	case Out:
		return outputSection(r)
	case State:
		return stateSections[r.From+" "+r.Vars.State]
	case Timer, Fired:
		return timerSections[r.Why]
	case RTT:
		return "RFC 6298 2"
	case Loss:
		return lossSections[r.Why]
	case Undone:
		return undoSections[r.Why]
	case Read:
		return "RFC 9293 3.10.3"
	case Write:
		return "RFC 9293 3.10.2"
	case Close:
		return closeSections[r.Why]
	}
	return ""
}

// inputSections are the sections about arriving segments, by state.
var inputSections = map[string]string{
	"CLOSED": "RFC 9293 3.10.7.1", "LISTEN": "RFC 9293 3.10.7.2", "SYN-SENT": "RFC 9293 3.10.7.3",
	"SYN-RECEIVED": "RFC 9293 3.10.7.4", "ESTABLISHED": "RFC 9293 3.10.7.4", "FIN-WAIT-1": "RFC 9293 3.10.7.4",
	"FIN-WAIT-2": "RFC 9293 3.10.7.4", "CLOSE-WAIT": "RFC 9293 3.10.7.4", "CLOSING": "RFC 9293 3.10.7.4",
	"LAST-ACK": "RFC 9293 3.10.7.4", "TIME-WAIT": "RFC 9293 3.10.7.4",
}

func outputSection(r *Record) string {
	switch {
	case r.Why == "new" && strings.Contains(r.Segment.Flags, "S"):
		return "RFC 9293 3.5"
	case r.Why == "new" && strings.Contains(r.Segment.Flags, "F"):
		return "RFC 9293 3.6"
	case r.Why == "retransmission" && r.Vars.CAState == "recovery":
		return "RFC 5681 3.2"
	}
	return outputSections[r.Why]
}

// outputSections are the sections about sending a segment, by reason.
var outputSections = map[string]string{
	"new":             "RFC 9293 3.8.6.2.1",
	"retransmission":  "RFC 6298 5",
	"tail loss probe": "RFC 8985 7",
	"probe":           "RFC 9293 3.8.6.1",
	"acknowledgment":  "RFC 9293 3.8.6.3",
	"reset":           "RFC 9293 3.5.2",
}

// stateSections are the sections about changes of state.
var stateSections = map[string]string{
	"CLOSED SYN-SENT":          "RFC 9293 3.10.1",
	"LISTEN SYN-RECEIVED":      "RFC 9293 3.10.7.2 third",
	"SYN-SENT SYN-RECEIVED":    "RFC 9293 3.10.7.3 fourth",
	"SYN-SENT ESTABLISHED":     "RFC 9293 3.10.7.3 fourth",
	"SYN-SENT CLOSED":          "RFC 9293 3.10.7.3 second",
	"SYN-RECEIVED ESTABLISHED": "RFC 9293 3.10.7.4 fifth",
	"ESTABLISHED FIN-WAIT-1":   "RFC 9293 3.10.4",
	"ESTABLISHED CLOSE-WAIT":   "RFC 9293 3.10.7.4 eighth",
	"FIN-WAIT-1 FIN-WAIT-2":    "RFC 9293 3.10.7.4 fifth",
	"FIN-WAIT-1 CLOSING":       "RFC 9293 3.10.7.4 eighth",
	"FIN-WAIT-1 TIME-WAIT":     "RFC 9293 3.10.7.4 eighth",
	"FIN-WAIT-2 TIME-WAIT":     "RFC 9293 3.10.7.4 eighth",
	"CLOSE-WAIT LAST-ACK":      "RFC 9293 3.10.4",
	"CLOSING TIME-WAIT":        "RFC 9293 3.10.7.4 fifth",
	"LAST-ACK CLOSED":          "RFC 9293 3.10.7.4 fifth",
	"TIME-WAIT CLOSED":         "RFC 9293 3.10.8",
}

var timerSections = map[string]string{
	"retransmission":  "RFC 6298 5",
	"tail loss probe": "RFC 8985 7",
	"reordering":      "RFC 8985 6.2",
	"delayed ACK":     "RFC 9293 3.8.6.3",
	"keep-alive":      "RFC 9293 3.8.4",
	"linger":          "RFC 9293 3.6.1",
	"cork":            "RFC 9293 3.7.4",
	"persist":         "RFC 9293 3.8.6.1",
}

var lossSections = map[string]string{"RACK": "RFC 8985 6.2", "duplicate ACKs": "RFC 5681 3.2, RFC 6582 3.2", "timeout": "RFC 6298 5.4"}

var closeSections = map[string]string{"close": "RFC 9293 3.10.4", "shutdown": "RFC 9293 3.10.4", "abort": "RFC 9293 3.10.5"}

var undoSections = map[string]string{"D-SACK": "RFC 3708 2", "Eifel": "RFC 4015 3.2", "F-RTO": "RFC 5682 2.1"}
