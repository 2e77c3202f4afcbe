package tcp

import "tunstack/internal/stats"

// Stats are the counters of all connections of one stack, which share them through Config.
type Stats struct {
	SegsIn         stats.Counter `name:"tcp.in.segments" doc:"segments received, bad ones included"`
	SegsOut        stats.Counter `name:"tcp.out.segments" doc:"segments sent; a super-segment counts once"`
	RstsOut        stats.Counter `name:"tcp.out.resets" doc:"segments sent with RST"`
	ActiveOpens    stats.Counter `name:"tcp.open.active" doc:"connections that we opened: they left CLOSED for SYN-SENT"`
	PassiveOpens   stats.Counter `name:"tcp.open.passive" doc:"connections that a peer opened: they left LISTEN for SYN-RECEIVED"`
	Established    stats.Counter `name:"tcp.open.established" doc:"connections that reached ESTABLISHED"`
	Retransmits    stats.Counter `name:"tcp.retransmit.segments" doc:"segments retransmitted" rfc:"RFC 9293 3.8.1"`
	Timeouts       stats.Counter `name:"tcp.retransmit.timeouts" doc:"expiries of the retransmission timer" rfc:"RFC 6298 5"`
	FastRecoveries stats.Counter `name:"tcp.recovery.fast" doc:"losses detected by acknowledgments" rfc:"RFC 8985, RFC 6582"`
	UndoDSACK      stats.Counter `name:"tcp.undo.dsack" doc:"recoveries undone because D-SACKs reported all retransmitted data" rfc:"RFC 3708"`
	UndoEifel      stats.Counter `name:"tcp.undo.eifel" doc:"recoveries undone because the ACK echoed a timestamp from before the retransmission" rfc:"RFC 3522, RFC 4015"`
	UndoFRTO       stats.Counter `name:"tcp.undo.frto" doc:"timeouts undone because ACKs covered data that was not retransmitted" rfc:"RFC 5682"`
	Probes         stats.Counter `name:"tcp.probe.window" doc:"zero-window probes sent" rfc:"RFC 9293 3.8.6.1"`
	CookiesOut     stats.Counter `name:"tcp.cookie.sent" doc:"SYNs answered with a cookie because too many connections were half-open" rfc:"RFC 4987 3.6"`
	CookiesIn      stats.Counter `name:"tcp.cookie.redeemed" doc:"connections established by a cookie" rfc:"RFC 4987 3.6"`
	KeepAlives     stats.Counter `name:"tcp.probe.keepalive" doc:"keep-alive probes sent" rfc:"RFC 9293 3.8.4"`
	ChallengeAcks  stats.Counter `name:"tcp.challenge_acks" doc:"ACKs that ask a peer to prove a RST, SYN or ACK" rfc:"RFC 5961"`
	ResetsIn       stats.Counter `name:"tcp.in.resets" doc:"connections ended by the peer's RST" rfc:"RFC 9293 3.10.7"`
	OrphansGivenUp stats.Counter `name:"tcp.orphan.given_up" doc:"closed connections reset, or ended in TIME-WAIT, because there were too many" rfc:"RFC 6429 3"`
	Duplicates     stats.Counter `name:"tcp.in.duplicate" doc:"segments all of whose text, SYN or FIN was received before" rfc:"RFC 9293 3.10.7.4 first"`
	OutOfOrder     stats.Counter `name:"tcp.in.out_of_order" doc:"segments held until a gap fills" rfc:"RFC 9293 3.10.7.4"`

	DropHeader        stats.Counter `name:"tcp.drop.bad_header" doc:"truncated, or data offset impossible" rfc:"RFC 9293 3.1"`
	DropChecksum      stats.Counter `name:"tcp.drop.bad_checksum" doc:"checksum wrong" rfc:"RFC 9293 3.1 MUST-3"`
	DropAddress       stats.Counter `name:"tcp.drop.bad_address" doc:"from or to a broadcast or multicast address" rfc:"RFC 9293 3.9.2.3"`
	DropMinTTL        stats.Counter `name:"tcp.drop.min_ttl" doc:"TTL below the socket's IP_MINTTL" rfc:"RFC 5082 3"`
	DropNoConnection  stats.Counter `name:"tcp.drop.no_connection" doc:"no connection or listener has the destination" rfc:"RFC 9293 3.10.7.1"`
	DropListen        stats.Counter `name:"tcp.drop.listen" doc:"neither SYN nor ACK nor RST for a listener, or a RST" rfc:"RFC 9293 3.10.7.2"`
	DropAcceptQueue   stats.Counter `name:"tcp.drop.accept_queue_full" doc:"SYN or final ACK while accept queue or SYN queue is full" rfc:"POSIX listen()"`
	DropCookie        stats.Counter `name:"tcp.drop.bad_cookie" doc:"final ACK without a connection, whose cookie is forged or old" rfc:"RFC 4987 3.6"`
	DropSocketBusy    stats.Counter `name:"tcp.drop.socket_busy" doc:"too many segments in the backlog of a connection whose lock was held"`
	DropSequence      stats.Counter `name:"tcp.drop.sequence" doc:"outside the receive window and not a duplicate" rfc:"RFC 9293 3.10.7.4 first"`
	DropPAWS          stats.Counter `name:"tcp.drop.paws" doc:"timestamp older than the last" rfc:"RFC 7323 5.3"`
	DropReset         stats.Counter `name:"tcp.drop.reset" doc:"RST that is not exactly at RCV.NXT, or in TIME-WAIT" rfc:"RFC 5961 3.2, RFC 1337"`
	DropSyn           stats.Counter `name:"tcp.drop.syn" doc:"SYN in a synchronized state" rfc:"RFC 5961 4.2"`
	DropNoAck         stats.Counter `name:"tcp.drop.no_ack" doc:"no ACK bit" rfc:"RFC 9293 3.10.7.4 fifth"`
	DropAck           stats.Counter `name:"tcp.drop.bad_ack" doc:"acknowledges data that was never sent, or is older than the largest window" rfc:"RFC 9293 3.10.7.4 fifth, RFC 5961 5.2"`
	DropSynSent       stats.Counter `name:"tcp.drop.syn_sent" doc:"no acceptable SYN or RST while a SYN is unanswered" rfc:"RFC 9293 3.10.7.3"`
	DropTooManyBlocks stats.Counter `name:"tcp.drop.too_many_blocks" doc:"out-of-order segment beyond the bound on blocks or memory" rfc:"RFC 9293 3.10.7.4"`
}
