package tcp_test

import "time"

const injection = "RFC 5961 section 3.2: not exactly at RCV.NXT"

// resets are the cells of a RST exactly at RCV.NXT; that of SYN-SENT depends on its ACK.
func resets(inSynSent cell) []cell {
	return []cell{
		{none, "=", "3.10.7.1, 3.10.7.2: a RST is ignored"},
		inSynSent,
		{passive, "LISTEN", "3.10.7.4 second: the user is not told"},
		{crossed, "CLOSED;; ECONNREFUSED", "3.10.7.4 second"},
		{receives, "CLOSED;; ECONNRESET", "3.10.7.4 second"},
		{closeWait, "CLOSED;; end, EPIPE", "3.10.7.4 second; who has read all can only fail to write"},
		{closing | lastAck, "CLOSED;; end, ECONNRESET", "3.10.7.4 second; the user who asks learns of it, as on Linux"},
		{timeWait, "=", "RFC 1337 section 3; RFC 9293 would go to CLOSED"},
	}
}

var withoutAck = cell{synSent, "=", "3.10.7.3 second: a RST without ACK is dropped"}

var resetEvents = []event{
	{name: "RST", happens: arrives("R R"), cells: resets(withoutAck)},
	{name: "RST with data", happens: arrives("R R(4)"), cells: resets(withoutAck)},
	{name: "RST,ACK", happens: arrives("R. R ack S"), cells: resets(cell{synSent, "CLOSED;; ECONNREFUSED", "3.10.7.3 second"})},
	{name: "RST,ACK with a bad ACK", happens: arrives("R. R ack S+1"), cells: resets(cell{synSent, "=", "3.10.7.3 first: dropped, for it is a RST"})},
	{name: "RST,ACK in another window", happens: arrives("R. R-5000 ack S"), cells: []cell{
		{none, "=", "3.10.7.1, 3.10.7.2"},
		{synSent, "CLOSED;; ECONNREFUSED", "3.10.7.3 second: no window yet"},
		{live, "=", "3.10.7.4 first: dropped without an answer"},
	}},
	{name: "RST, left of the window", happens: arrives("R R-1"), cells: []cell{
		{none | synSent, "=", "3.10.7.1 to 3.10.7.3"}, {live, "=", "3.10.7.4 first: dropped without an answer"},
	}},
	{name: "RST, inside the window", happens: arrives("R R+100"), cells: []cell{
		{none | synSent, "=", "3.10.7.1 to 3.10.7.3"},
		{live &^ timeWait, "=; . S ack R", injection},
		{timeWait, "=", "RFC 1337 section 3"},
	}},
	{name: "RST, right of the window", happens: arrives("R E"), cells: []cell{
		{none | synSent, "=", "3.10.7.1 to 3.10.7.3"}, {live, "=", "3.10.7.4 first: dropped without an answer"},
	}},
}

const challenged = "3.10.7.4 fourth, RFC 5961 section 4.2: a challenge ACK"

// opens are the cells of a SYN, alone or with data or a FIN, which are accepted only once the connection is established.
func opens(reset, why string) []cell {
	return []cell{
		{closed, "=; " + reset, noConnection},
		{listen, "SYN-RECEIVED; S. S-1 ack R+1", "3.10.7.2 third; " + why},
		{synSent, "SYN-RECEIVED; S. S-1 ack R+1", "3.10.7.3 fourth: crossing SYNs; " + why},
		{passive, "LISTEN", "3.10.7.4 fourth"},
		{crossed | synced, "=; . S ack R", challenged},
	}
}

var synEvents = []event{
	{name: "SYN", happens: arrives("S R"), cells: opens("R. 0 ack R+1", "figure 6")},
	{name: "SYN with data", happens: arrives("S R(10)"), cells: opens("R. 0 ack R+11", "the data comes again")},
	{name: "SYN,FIN", happens: arrives("SF R"), cells: opens("R. 0 ack R+2", "the FIN comes again")},
	{name: "SYN again", happens: arrives("S R-1"), cells: []cell{
		{closed, "=; R. 0 ack R", noConnection},
		{listen, "SYN-RECEIVED; S. S-1 ack R", "3.10.7.2 third"},
		{synSent, "SYN-RECEIVED; S. S-1 ack R", "3.10.7.3 fourth"},
		{synRcvd, "=; S. S-1 ack R", "3.10.7.4 first answers by an ACK; the peer has not seen our SYN, so it gets that"},
		{synced, "=; . S ack R", outside},
	}},
	{name: "SYN, left of the window", happens: arrives("S R-1000"), cells: []cell{
		{closed, "=; R. 0 ack R-999", noConnection},
		{listen, "SYN-RECEIVED; S. S-1 ack R-999", "3.10.7.2 third"},
		{synSent, "SYN-RECEIVED; S. S-1 ack R-999", "3.10.7.3 fourth"},
		{live, "=; . S ack R", outside},
	}},
	{name: "SYN, right of the window", happens: arrives("S E"), cells: []cell{
		{closed, "=; R. 0 ack R+65536", noConnection},
		{listen, "SYN-RECEIVED; S. S-1 ack R+65536", "3.10.7.2 third"},
		{synSent, "SYN-RECEIVED; S. S-1 ack R+65536", "3.10.7.3 fourth"},
		{live, "=; . S ack R", outside},
	}},
	{name: "SYN,ACK", happens: arrives("S. R-1 ack S"), cells: []cell{
		{none, "=; R S", "3.10.7.1, 3.10.7.2 second"},
		{synSent, "ESTABLISHED; . S ack R", "3.10.7.3 fourth"},
		{passive, "ESTABLISHED;; accepts, EAGAIN", "3.10.7.4 first answers by an ACK; see the next"},
		{crossed, "ESTABLISHED", "figure 7: the peer's SYN is known, its ACK is new"},
		{synced, "=; . S ack R", outside},
	}},
	{name: "SYN,ACK with a bad ACK", happens: arrives("S. R-1 ack S+1"), cells: []cell{
		{none, "=; R S+1", "3.10.7.1, 3.10.7.2 second"},
		{synSent, "=; R S+1", badAck},
		{synRcvd, "=; R S+1", "3.10.7.4 fifth"},
		{synced, "=; . S ack R", outside},
	}},
	{name: "SYN,ACK, inside the window", happens: arrives("S. R+100 ack S"), cells: []cell{
		{none, "=; R S", "3.10.7.1, 3.10.7.2 second"},
		{synSent, "ESTABLISHED; . S ack R+101", "3.10.7.3 fourth: no window yet"},
		{passive, "LISTEN", "3.10.7.4 fourth"},
		{crossed | synced, "=; . S ack R", challenged},
	}},
	{name: "SYN,RST", happens: arrives("SR R"), cells: resets(withoutAck)},
	{name: "FIN again amid 2 MSL", happens: func(h *host) string {
		h.after(50 * time.Second)
		h.recv("F. R-1 ack S")
		h.after(50 * time.Second)
		return ""
	}, cells: []cell{
		{timeWait, "=; . S ack R", "3.10.7.4 eighth: the FIN again restarts the timer"},
		na(every&^timeWait, "the timer runs in TIME-WAIT only"),
	}},
}
