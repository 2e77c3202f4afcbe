package ipv4

import "syscall"

// unreachable are the errors that a socket reports for the codes of Destination Unreachable, as Linux has them.
var unreachable = [...]syscall.Errno{
	0:  syscall.ENETUNREACH,
	1:  syscall.EHOSTUNREACH,
	2:  syscall.ENOPROTOOPT,
	3:  syscall.ECONNREFUSED,
	4:  syscall.EMSGSIZE,
	5:  syscall.EOPNOTSUPP,
	6:  syscall.ENETUNREACH,
	7:  syscall.EHOSTDOWN,
	8:  errNoNet,
	9:  syscall.ENETUNREACH,
	10: syscall.EHOSTUNREACH,
	11: syscall.ENETUNREACH,
	12: syscall.EHOSTUNREACH,
	13: syscall.EHOSTUNREACH,
	14: syscall.EHOSTUNREACH,
	15: syscall.EHOSTUNREACH,
}

// Errno is the error that the sender of a datagram sees for an ICMP error about it; 0: none (RFC 1122 section 4.1.3.3,
// RFC 6633 section 3 for Source Quench).
func (e *Error) Errno() syscall.Errno {
	switch {
	case e.Type == Unreachable && int(e.Code) < len(unreachable):
		return unreachable[e.Code]
	case e.Type == Unreachable, e.Type == TimeExceeded:
		return syscall.EHOSTUNREACH
	case e.Type == ParameterProblem:
		return syscall.EPROTO
	}
	return 0
}

// hard are the codes of Destination Unreachable that Linux reports to a socket that did not ask for errors by IP_RECVERR: those
// that are not likely to pass by themselves.
const hard = 1<<CodeProtocol | 1<<CodePort | 1<<6 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<CodeAdminProhibited | 1<<14 | 1<<15

// Hard says whether the error is one that trying again does not help against. Fragmentation Needed is not among them.
func (e *Error) Hard() bool {
	return e.Type == Unreachable && e.Code < 16 && hard>>e.Code&1 != 0 || e.Type == ParameterProblem
}

// FragNeeded says whether the error is Fragmentation Needed and DF Set.
func (e *Error) FragNeeded() bool { return e.Type == Unreachable && e.Code == CodeFragNeeded }
