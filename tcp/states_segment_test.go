package tcp_test

// arrives makes the arrival of a segment an event.
func arrives(line string) func(*host) string {
	return func(h *host) string {
		h.recv(line)
		return ""
	}
}

const (
	noConnection = "3.10.7.1"
	ackReset     = "3.10.7.2: any acknowledgment to LISTEN is bad"
	notSyn       = "3.10.7.3: neither SYN nor RST"
	badAck       = "3.10.7.3 first: not an acknowledgment of our SYN"
	outside      = "3.10.7.4 first: not acceptable"
	noAck        = "3.10.7.4 fifth: no ACK bit"
)

// Segments without ACK, SYN or RST.
var strayEvents = []event{
	{name: "no flags", happens: arrives("none R"), cells: []cell{
		{closed, "=; R. 0 ack R", noConnection}, {listen, "=", "3.10.7.2: dropped"}, {synSent, "=", notSyn}, {live, "=", noAck},
	}},
	{name: "data without ACK", happens: arrives("P R(10)"), cells: []cell{
		{closed, "=; R. 0 ack R+10", noConnection}, {listen, "=", "3.10.7.2: dropped"}, {synSent, "=", notSyn}, {live, "=", noAck},
	}},
	{name: "FIN without ACK", happens: arrives("F R"), cells: []cell{
		{closed, "=; R. 0 ack R+1", noConnection}, {listen, "=", "3.10.7.2: dropped"}, {synSent, "=", notSyn}, {live, "=", noAck},
	}},
	{name: "no flags, left of the window", happens: arrives("none R-1"), cells: []cell{
		{closed, "=; R. 0 ack R-1", noConnection}, {listen, "=", "3.10.7.2: dropped"}, {synSent, "=", notSyn}, {live, "=; . S ack R", outside},
	}},
	{name: "FIN without ACK, right of it", happens: arrives("F E"), cells: []cell{
		{closed, "=; R. 0 ack R+65536", noConnection}, {listen, "=", "3.10.7.2: dropped"}, {synSent, "=", notSyn}, {live, "=; . S ack R", outside},
	}},
}

// inTimeWait is the cell of an acceptable segment in TIME-WAIT.
var inTimeWait = cell{timeWait, "=; . S ack R", "3.10.7.4 fifth: acknowledged, and the 2 MSL timer restarts"}

// acksAll are the cells of an acceptable segment without data that acknowledges all data and the FIN.
func acksAll(reset string, inTimeWait cell) []cell {
	return []cell{
		inTimeWait,
		{none, "=; " + reset, "3.10.7.1, 3.10.7.2: a bad acknowledgment"},
		{synSent, "=", notSyn},
		{passive, "ESTABLISHED;; accepts, EAGAIN", "3.10.7.4 fifth"},
		{crossed, "ESTABLISHED", "3.10.7.4 fifth"},
		{estab | finWait2 | closeWait, "=", "3.10.7.4 fifth"},
		{finWait1, "FIN-WAIT-2", "3.10.7.4 fifth: of our FIN"},
		{closing, "TIME-WAIT", "3.10.7.4 fifth: of our FIN"},
		{lastAck, "CLOSED", "3.10.7.4 fifth: of our FIN"},
	}
}

// refused are the cells of an unacceptable segment with ACK.
func refused(reset string) []cell {
	return []cell{{none, "=; " + reset, "3.10.7.1, 3.10.7.2"}, {synSent, "=", notSyn}, {live, "=; . S ack R", outside}}
}

var ackEvents = []event{
	{name: "ACK", happens: arrives(". R ack S"), cells: acksAll("R S", cell{timeWait, "=", "the ACK of our ACK of a FIN"})},
	{name: "ACK, left of the window", happens: arrives(". R-1 ack S"), cells: refused("R S")},
	{name: "ACK, inside the window", happens: arrives(". R+100 ack S"), cells: acksAll("R S", inTimeWait)},
	{name: "ACK, at the right edge", happens: arrives(". E ack S"), cells: acksAll("R S", inTimeWait)}, // of a peer that has used the window up
	{name: "ACK, right of the window", happens: arrives(". E+1 ack S"), cells: refused("R S")},
	{name: "ACK of nothing new", happens: arrives(". R ack U"), cells: []cell{
		{none, "=; R S", "3.10.7.1, 3.10.7.2"},
		{synSent, "=; R S-1", badAck},
		{synRcvd, "=; R S-1", "3.10.7.4 fifth"},
		{synced, "=", "3.10.7.4 fifth: a duplicate"},
	}},
	{name: "ACK of what was never sent", happens: arrives(". R ack S+1"), cells: []cell{
		{none, "=; R S+1", "3.10.7.1, 3.10.7.2"},
		{synSent, "=; R S+1", badAck},
		{synRcvd, "=; R S+1", "3.10.7.4 fifth"},
		{synced, "=; . S ack R", "3.10.7.4 fifth"},
	}},
	{name: "ACK of long ago", happens: arrives(". R ack S-100000"), cells: []cell{
		{none, "=; R S-100000", "3.10.7.1, 3.10.7.2"},
		{synSent, "=; R S-100000", badAck},
		{synRcvd, "=; R S-100000", "3.10.7.4 fifth"},
		{synced, "=; . S ack R", "RFC 5961 section 5.2"},
	}},
}

// takesData are the cells of a segment with 10 bytes, all or the last of which are at RCV.NXT, and which acknowledges all: the state changes
// as without data, and the states that accept data take it.
func takesData(reset, ack, bytes string) []cell {
	return []cell{
		{none, "=; " + reset, "3.10.7.1, 3.10.7.2"},
		{synSent, "=", notSyn},
		{passive, "ESTABLISHED; " + ack + "; accepts, " + bytes, "3.10.7.4 fifth, seventh"},
		{crossed, "ESTABLISHED; " + ack + "; " + bytes, "3.10.7.4 fifth, seventh"},
		{estab | finWait2, "=; " + ack + "; " + bytes, "3.10.7.4 seventh"},
		{finWait1, "FIN-WAIT-2; " + ack + "; " + bytes, "3.10.7.4 fifth, seventh"},
		inTimeWait, {closeWait, "=", "3.10.7.4 seventh: ignored after the peer's FIN"},
		{closing, "TIME-WAIT", "3.10.7.4 fifth; data is ignored"},
		{lastAck, "CLOSED", "3.10.7.4 fifth; data is ignored"},
	}
}

// holdsData are the cells of a segment whose bytes lie in the window beyond RCV.NXT.
func holdsData(reset string) []cell {
	return []cell{
		{none, "=; " + reset, "3.10.7.1, 3.10.7.2"},
		{synSent, "=", notSyn},
		{passive, "ESTABLISHED; . S ack R; accepts, EAGAIN", "3.10.7.4 fifth; the data is held"},
		{crossed, "ESTABLISHED; . S ack R", "3.10.7.4 fifth; the data is held"},
		{estab | finWait2, "=; . S ack R", "3.10.7.4 seventh, RFC 5681 section 4.2: held, and a duplicate ACK at once"},
		{finWait1, "FIN-WAIT-2; . S ack R", "3.10.7.4 fifth, seventh"},
		inTimeWait, {closeWait, "=", "3.10.7.4 seventh: ignored after the peer's FIN"},
		{closing, "TIME-WAIT", "3.10.7.4 fifth; data is ignored"},
		{lastAck, "CLOSED", "3.10.7.4 fifth; data is ignored"},
	}
}

// oldAckCounts is the reason why a segment before the window can acknowledge data.
const oldAckCounts = "3.10.7.4 first would drop the acknowledgment with the data; where only retransmissions get through, it is the only one"

var dataEvents = []event{
	{name: "data", happens: arrives("P. R(10) ack S"), cells: takesData("R S", ". S ack R+10", "10 bytes")},
	{name: "data, left of the window", happens: arrives("P. R-10(10) ack S"), cells: []cell{
		{none, "=; R S", "3.10.7.1, 3.10.7.2"},
		{synSent, "=", notSyn},
		{synRcvd | estab | finWait2 | closeWait | timeWait, "=; . S ack R", outside},
		{finWait1, "FIN-WAIT-2; . S ack R", oldAckCounts},
		{closing, "TIME-WAIT; . S ack R", oldAckCounts},
		{lastAck, "CLOSED", oldAckCounts},
	}},
	{name: "data, across the left edge", happens: arrives("P. R-5(10) ack S"), cells: takesData("R S", ". S ack R+5", "5 bytes")},
	{name: "data, inside the window", happens: arrives("P. R+100(10) ack S"), cells: holdsData("R S")},
	{name: "data, across the right edge", happens: arrives("P. E-5(10) ack S"), cells: holdsData("R S")},
	{name: "data, right of the window", happens: arrives("P. E(10) ack S"), cells: refused("R S")},
	{name: "data with a bad ACK", happens: arrives("P. R(10) ack S+1"), cells: []cell{
		{none, "=; R S+1", "3.10.7.1, 3.10.7.2"},
		{synSent, "=; R S+1", badAck},
		{synRcvd, "=; R S+1", "3.10.7.4 fifth"},
		{synced, "=; . S ack R", "3.10.7.4 fifth: dropped with its data"},
	}},
	{name: "URG", happens: arrives(".U R ack S urg 5"), cells: []cell{
		{none, "=; R S", "3.10.7.1, 3.10.7.2"},
		{synSent, "=", notSyn},
		{passive, "ESTABLISHED;; accepts, urgent, EAGAIN", "3.10.7.4 fifth, sixth"},
		{crossed, "ESTABLISHED;; urgent, EAGAIN", "3.10.7.4 fifth, sixth"},
		{estab | finWait2, "=;; urgent, EAGAIN", "3.10.7.4 sixth"},
		{finWait1, "FIN-WAIT-2;; urgent, EAGAIN", "3.10.7.4 fifth, sixth"},
		{closeWait | timeWait, "=", "3.10.7.4 sixth: ignored after the peer's FIN"},
		{closing, "TIME-WAIT", "3.10.7.4 fifth; URG is ignored"},
		{lastAck, "CLOSED", "3.10.7.4 fifth; URG is ignored"},
	}},
}

var finEvents = []event{
	{name: "FIN", happens: arrives("F. R ack S"), cells: []cell{
		{none, "=; R S", "3.10.7.1, 3.10.7.2"},
		{synSent, "=", notSyn},
		{passive, "CLOSE-WAIT; . S ack R+1; accepts, end", "3.10.7.4 fifth, eighth"},
		{crossed, "CLOSE-WAIT; . S ack R+1", "3.10.7.4 fifth, eighth"},
		{estab, "CLOSE-WAIT; . S ack R+1", "3.10.7.4 eighth"},
		{finWait1 | finWait2, "TIME-WAIT; . S ack R+1", "3.10.7.4 fifth, eighth"},
		inTimeWait, {closeWait, "=", "3.10.7.4 eighth: remain; this one is not the FIN that came before"},
		{closing, "TIME-WAIT", "3.10.7.4 fifth"},
		{lastAck, "CLOSED", "3.10.7.4 fifth"},
	}},
	{name: "FIN that does not acknowledge", happens: arrives("F. R ack U"), cells: []cell{
		{none, "=; R S", "3.10.7.1, 3.10.7.2"},
		{synSent, "=; R S-1", badAck},
		{synRcvd, "=; R S-1", "3.10.7.4 fifth"},
		{estab, "CLOSE-WAIT; . S ack R+1", "3.10.7.4 eighth"},
		{finWait1, "CLOSING; . S ack R+1", "3.10.7.4 eighth"},
		{finWait2, "TIME-WAIT; . S ack R+1", "3.10.7.4 eighth"},
		inTimeWait, {ended &^ timeWait, "=", "3.10.7.4 eighth: remain"},
	}},
	{name: "FIN with data", happens: arrives("FP. R(10) ack S"), cells: []cell{
		{none, "=; R S", "3.10.7.1, 3.10.7.2"},
		{synSent, "=", notSyn},
		{passive, "CLOSE-WAIT; . S ack R+11; accepts, 10 bytes", "3.10.7.4 fifth, seventh, eighth"},
		{crossed | estab, "CLOSE-WAIT; . S ack R+11; 10 bytes", "3.10.7.4 seventh, eighth"},
		{finWait1 | finWait2, "TIME-WAIT; . S ack R+11; 10 bytes", "3.10.7.4 fifth, seventh, eighth"},
		inTimeWait, {closeWait, "=", "3.10.7.4 seventh, eighth"},
		{closing, "TIME-WAIT", "3.10.7.4 fifth"},
		{lastAck, "CLOSED", "3.10.7.4 fifth"},
	}},
	{name: "FIN again, left of the window", happens: arrives("F. R-1 ack S"), cells: []cell{
		{none, "=; R S", "3.10.7.1, 3.10.7.2"},
		{synSent, "=", notSyn},
		{synRcvd | estab | finWait2 | closeWait | timeWait, "=; . S ack R", outside},
		{finWait1, "FIN-WAIT-2; . S ack R", oldAckCounts},
		{closing, "TIME-WAIT; . S ack R", oldAckCounts},
		{lastAck, "CLOSED", oldAckCounts},
	}},
	{name: "FIN, inside the window", happens: arrives("F. R+100 ack S"), cells: holdsData("R S")},
	{name: "FIN, right of the window", happens: arrives("F. E ack S"), cells: refused("R S")},
}
