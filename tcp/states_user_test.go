package tcp_test

import (
	"time"

	"tunstack/tcp"
)

// result makes a call of the user an event, whose result is checked.
func result(call func(h *host) (int, error)) func(*host) string {
	return func(h *host) string {
		n, err := call(h)
		if n == 0 && err == nil {
			return "done"
		}
		return did(n, err)
	}
}

const unaccepted = "no user has the connection before it is established"

// The user's calls (sections 3.10.1 to 3.10.6), under their names in the socket API.
var userEvents = []event{
	{name: "OPEN, active", happens: result(func(h *host) (int, error) { return 0, h.e.Connect(peerAddr) }), cells: []cell{
		{closed, "SYN-SENT; S S-1; EINPROGRESS", "3.10.1"},
		{listen, "=;; EISCONN", "3.10.1 would turn it into an active open; sockets do not"},
		{synSent | crossed, "=;; EALREADY", "3.10.1: connection already exists"},
		na(passive, unaccepted),
		{estab | closeWait, "=;; done", "3.10.1: connection already exists; sockets say once that it has succeeded, then EISCONN"},
		{finWait1 | finWait2 | closing | lastAck | timeWait, "=;; EISCONN", "3.10.1: who closes takes it that it has succeeded"},
	}},
	{name: "OPEN, passive", happens: result(func(h *host) (int, error) { return 0, h.e.Listen(1) }), cells: []cell{
		{closed, "LISTEN;; done", "3.10.1"},
		{listen, "=;; done", "3.10.1: changes the backlog"},
		na(passive, unaccepted),
		{synSent | crossed | synced, "=;; EINVAL", "3.10.1: connection already exists"},
	}},
	{name: "SEND", happens: result(func(h *host) (int, error) { return h.e.Write(make([]byte, 10), false) }), cells: []cell{
		{none, "=;; EPIPE", "3.10.2: connection does not exist; foreign socket unspecified"},
		{synSent | crossed, "=;; EAGAIN", "3.10.2 may queue it; a writer waits for the connection"},
		na(passive, unaccepted),
		{estab | closeWait, "=; P. S(10) ack R; 10 bytes", "3.10.2"},
		{finWait1 | finWait2 | closing | lastAck | timeWait, "=;; EPIPE", "3.10.2: connection closing"},
	}},
	{name: "SEND, urgent", happens: result(func(h *host) (int, error) { return h.e.WriteUrgent(make([]byte, 10)) }), cells: []cell{
		{none, "=;; EPIPE", "3.10.2"},
		{synSent | crossed, "=;; EAGAIN", "3.10.2"},
		na(passive, unaccepted),
		{estab | closeWait, "=; P.U S(10) ack R; 10 bytes", "3.10.2: SND.UP"},
		{finWait1 | finWait2 | closing | lastAck | timeWait, "=;; EPIPE", "3.10.2"},
	}},
	{name: "RECEIVE, nothing there", happens: result(func(h *host) (int, error) { return h.e.Read(make([]byte, 10), false) }), cells: []cell{
		{none, "=;; ENOTCONN", "3.10.3: connection does not exist; a listener is none"},
		{synSent | crossed | receives, "=;; EAGAIN", "3.10.3: the reader waits"},
		na(passive, unaccepted),
		{ended, "=;; done", "3.10.3: connection closing: the end of the stream"},
	}},
	{name: "RECEIVE, data there", prelude: func(h *host) { h.recv("P. R(10) ack S") },
		happens: result(func(h *host) (int, error) { return h.e.Read(make([]byte, 100), false) }), cells: []cell{
			na(none|handshake, "nothing can have come"),
			{synced, "=;; 10 bytes", "3.10.3"},
		}},
	{name: "CLOSE of sending", happens: result(func(h *host) (int, error) { return 0, h.e.Shutdown(false, true) }), cells: []cell{
		{closed, "=;; ENOTCONN", "3.10.4"},
		{listen, "=;; done", "3.10.4 would delete the TCB; sockets do that by ending reading, or by close"},
		{synSent, "CLOSED;; done", "3.10.4"},
		{crossed, "=;; done", "3.10.4: the FIN waits for ESTABLISHED"},
		na(passive, unaccepted),
		{estab, "FIN-WAIT-1; F. S ack R; done", "3.10.4"},
		{closeWait, "LAST-ACK; F. S ack R; done", "3.10.4"},
		{timeWait, "=;; ENOTCONN", "3.10.4: an error; Linux keeps TIME-WAIT apart from the socket"},
		{finWait1 | finWait2 | closing | lastAck, "=;; done", "3.10.4: closing already; ok for FIN-WAIT states, an error else that sockets do not have"},
	}},
	{name: "CLOSE of the socket", happens: result(func(h *host) (int, error) { return 0, h.e.Close() }), cells: []cell{
		{closed, "=;; done", "3.10.4"},
		{listen, "CLOSED;; done", "3.10.4"},
		{synSent, "CLOSED;; done", "3.10.4"},
		{crossed, "=;; done", "3.10.4"},
		{passive, "CLOSED; R. S ack R; done", "of the listener: POSIX close() resets what was not accepted"},
		{estab, "FIN-WAIT-1; F. S ack R; done", "3.10.4"},
		{closeWait, "LAST-ACK; F. S ack R; done", "3.10.4"},
		{finWait1 | finWait2 | closing | lastAck | timeWait, "=;; done", "3.10.4"},
	}},
	{name: "CLOSE of the socket, unread data", prelude: func(h *host) { h.recv("P. R(10) ack S") },
		happens: result(func(h *host) (int, error) { return 0, h.e.Close() }), cells: []cell{
			na(none|handshake, "nothing can have come"),
			{estab | finWait1 | finWait2 | closeWait, "CLOSED; R. S ack R; done", "3.6.1, SHLD-3"},
			{closing | lastAck | timeWait, "CLOSED;; done", "3.10.5: an abort, for data is lost"},
		}},
	{name: "ABORT", happens: func(h *host) string { h.e.Abort(); return "done" }, cells: []cell{
		{closed, "=;; done", "3.10.5"},
		{listen | synSent, "CLOSED;; done", "3.10.5"},
		{synRcvd | estab | finWait1 | finWait2 | closeWait, "CLOSED; R. S ack R; done", "3.10.5"},
		{closing | lastAck | timeWait, "CLOSED;; done", "3.10.5"},
	}},
	{name: "STATUS", happens: func(h *host) string { return h.e.Info().State.String() }, cells: []cell{
		{closed, "=;; CLOSED", "3.10.6"}, {listen, "=;; LISTEN", "3.10.6"}, {synSent, "=;; SYN-SENT", "3.10.6"},
		{passive, "=;; LISTEN", "3.10.6: the user has the listener, netstat shows both"},
		{crossed, "=;; SYN-RECEIVED", "3.10.6"}, {estab, "=;; ESTABLISHED", "3.10.6"}, {finWait1, "=;; FIN-WAIT-1", "3.10.6"},
		{finWait2, "=;; FIN-WAIT-2", "3.10.6"}, {closeWait, "=;; CLOSE-WAIT", "3.10.6"}, {closing, "=;; CLOSING", "3.10.6"},
		{lastAck, "=;; LAST-ACK", "3.10.6"}, {timeWait, "=;; TIME-WAIT", "3.10.6"},
	}},
}

// passes lets time pass.
func passes(d time.Duration) func(*host) string {
	return func(h *host) string {
		h.after(d)
		return ""
	}
}

func write(h *host) { _, _ = h.e.Write(make([]byte, 10), false) }

func shutWindow(h *host) {
	h.wnd = 0
	h.recv(". R ack S")
	write(h)
}

func keepAlive(h *host) {
	h.e.SetParams(func(p *tcp.Params) {
		p.KeepAlive, p.KeepIdle, p.KeepIntvl, p.KeepCnt = true, 10*time.Second, time.Second, 2
	})
}

// endQuickAcks uses up the ACKs that are not delayed at the start of a connection.
func endQuickAcks(h *host) {
	for range 20 {
		h.recv("P. R(10) ack S")
		h.after(time.Second)
		h.learn()
	}
	_, _ = h.e.Read(make([]byte, 1000), false)
}

const nothing = "nothing is outstanding"

// The timeouts (section 3.10.8), and those of RFC 6298, of acknowledgments, keep-alives and closed windows.
var timerEvents = []event{
	{name: "retransmission timeout", prelude: write, happens: passes(time.Second), cells: []cell{
		na(none|finWait2|timeWait, nothing),
		{synSent, "=; S S-1", "3.10.8, RFC 6298 section 5"},
		{synRcvd, "=; S. S-1 ack R", "3.10.8"},
		{estab | closeWait, "=; P. S-10(10) ack R, P. S-10(10) ack R", "3.10.8: after 200 and 600 ms"},
		{finWait1 | closing | lastAck, "=; FP. S-11(10) ack R, FP. S-11(10) ack R", "3.10.8: data and FIN"},
	}},
	{name: "retransmissions used up (R2)", prelude: write, happens: func(h *host) string {
		h.after(30 * time.Minute)
		h.sent = nil
		return ""
	}, cells: []cell{
		na(none|finWait2|timeWait, nothing),
		{synSent | crossed, "CLOSED;; ETIMEDOUT", "3.8.3"},
		{passive, "LISTEN", "3.8.3"},
		{estab | finWait1, "CLOSED;; ETIMEDOUT", "3.8.3"},
		{closeWait | closing | lastAck, "CLOSED;; end, ETIMEDOUT", "3.8.3; the stream that was read has its end"},
	}},
	{name: "user timeout", prelude: func(h *host) {
		h.e.SetParams(func(p *tcp.Params) { p.UserTimeout = 5 * time.Second })
		write(h)
	}, happens: func(h *host) string {
		h.after(20 * time.Second)
		h.sent = nil
		return ""
	}, cells: []cell{
		na(none|finWait2|timeWait, nothing),
		{synSent | crossed, "CLOSED;; ETIMEDOUT", "3.10.8"},
		{passive, "LISTEN", "3.10.8"},
		{estab | finWait1, "CLOSED;; ETIMEDOUT", "3.10.8"},
		{closeWait | closing | lastAck, "CLOSED;; end, ETIMEDOUT", "3.10.8"},
	}},
	{name: "2 MSL pass", happens: passes(time.Minute), cells: []cell{
		{timeWait, "CLOSED", "3.10.8"},
		na(every&^timeWait, "the timer runs in TIME-WAIT only"),
	}},
	{name: "a minute without owner", happens: func(h *host) string {
		_ = h.e.Close()
		h.sent = nil
		h.after(time.Minute)
		return "done"
	}, cells: []cell{
		{finWait2, "CLOSED;; done", "SEC-021: nobody would miss a peer that never closes"},
		na(every&^finWait2, "the peer may take its time in FIN-WAIT-2 only"),
	}},
	{name: "keep-alive time", prelude: keepAlive, happens: passes(10 * time.Second), cells: []cell{
		{estab | finWait2 | closeWait, "=; . S-1 ack R", "3.8.4"},
		na(none|handshake, "no connection that could be idle"),
		na(finWait1|closing|lastAck, "the FIN is outstanding: retransmission finds out sooner"),
		na(timeWait, "its end is near"),
	}},
	{name: "keep-alives unanswered", prelude: keepAlive, happens: passes(12 * time.Second), cells: []cell{
		{estab | finWait2, "CLOSED; . S-1 ack R, . S-1 ack R, R. S ack R; ETIMEDOUT", "3.8.4"},
		{closeWait, "CLOSED; . S-1 ack R, . S-1 ack R, R. S ack R; end, ETIMEDOUT", "3.8.4"},
		na(every&^(estab|finWait2|closeWait), "no keep-alives, see above"),
	}},
	{name: "delayed acknowledgment", prelude: endQuickAcks, happens: func(h *host) string {
		h.recv("P. R(10) ack U")
		h.sent = nil // ignore other segments, such as a retransmitted FIN
		h.after(40 * time.Millisecond)
		return ""
	}, cells: []cell{
		{receives, "=; . S ack R+10; 10 bytes", "3.8.6.3"},
		na(every&^receives, "no data is taken"),
	}},
	{name: "persist timeout", prelude: shutWindow, happens: passes(300 * time.Millisecond), cells: []cell{
		{estab | finWait1 | closeWait | lastAck, "=; . S(1) ack R", "3.8.6.1"},
		na(none|handshake, "the window is not known yet"),
		na(finWait2|closing|timeWait, "a peer that has acknowledged or answered the FIN has taken all before it, and a CLOSING one retransmits"),
	}},
}
