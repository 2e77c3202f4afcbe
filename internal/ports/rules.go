package ports

// A rule reports whether a holder of a port prevents a new reservation.
type rule func(r Reservation, holder group) bool

// overlap reports whether the same datagram or segment could match both.
func overlap(r Reservation, holder group) bool {
	return r.at.overlaps(holder.at) && !r.flags.leaveOut(holder.at) && !holder.flags.leaveOut(r.at)
}

// leaveOut reports whether a socket with the flags uses none of the addresses, because they are IPv4's.
func (f Flags) leaveOut(at addrs) bool { return f&V6Only != 0 && at.isIPv4() }

// bindConflict is the rule of bind(2) and listen(2). A datagram socket never listens, so that for UDP the
// SO_REUSEADDR of both is enough, as it is on Linux.
func bindConflict(r Reservation, holder group) bool {
	if !overlap(r, holder) {
		return false
	}
	both := r.flags & holder.flags
	switch {
	case both&ReusePort != 0:
		return false
	case both&ReuseAddr != 0 && holder.flags&listening == 0:
		return false
	case r.flags&ReuseAddr != 0 && holder.flags&timeWait != 0:
		return false
	}
	return true
}

// connectConflict keeps connections off ports that were bound by number, as connect(2) does.
func connectConflict(r Reservation, holder group) bool {
	return overlap(r, holder) && holder.flags&connected == 0
}
