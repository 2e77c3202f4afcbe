package icmp

import (
	"syscall"

	"tunstack/ip"
)

// Types of errors (RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 5.2.7).
const (
	Unreachable      = 3
	SourceQuench     = 4
	Redirect         = 5
	TimeExceeded     = 11
	ParameterProblem = 12
)

// Codes of errors.
const (
	CodeNet               = 0 // of Unreachable
	CodeHost              = 1
	CodeProtocol          = 2
	CodePort              = 3
	CodeFragNeeded        = 4
	CodeSourceRouteFailed = 5
	CodeAdminProhibited   = 13

	CodeTTL        = 0 // of TimeExceeded
	CodeReassembly = 1

	CodeRedirectHost = 1 // of Redirect
)

// sent are the type and code of each kind of error that this stack sends.
var sent = [...]struct{ typ, code uint8 }{
	ip.NetUnreachable:      {Unreachable, CodeNet},
	ip.HostUnreachable:     {Unreachable, CodeHost},
	ip.ProtocolUnreachable: {Unreachable, CodeProtocol},
	ip.PortUnreachable:     {Unreachable, CodePort},
	ip.TooBig:              {Unreachable, CodeFragNeeded},
	ip.SourceRouteFailed:   {Unreachable, CodeSourceRouteFailed},
	ip.Prohibited:          {Unreachable, CodeAdminProhibited},
	ip.TTLExceeded:         {TimeExceeded, CodeTTL},
	ip.ReassemblyTimeout:   {TimeExceeded, CodeReassembly},
	ip.BadParameter:        {ParameterProblem, 0},
	ip.Redirect:            {Redirect, CodeRedirectHost},
}

// meaning is what a received error means to the sender of the quoted datagram.
type meaning struct {
	kind  ip.Kind
	errno syscall.Errno // that a socket reports, as on Linux
	hard  bool          // Linux reports it to a socket that did not ask for errors by IP_RECVERR: it does not pass by itself
}

// unreachable are the meanings of the codes of Destination Unreachable.
var unreachable = [...]meaning{
	CodeNet:               {ip.NetUnreachable, syscall.ENETUNREACH, false},
	CodeHost:              {ip.HostUnreachable, syscall.EHOSTUNREACH, false},
	CodeProtocol:          {ip.ProtocolUnreachable, syscall.ENOPROTOOPT, true},
	CodePort:              {ip.PortUnreachable, syscall.ECONNREFUSED, true},
	CodeFragNeeded:        {ip.TooBig, syscall.EMSGSIZE, false},
	CodeSourceRouteFailed: {ip.SourceRouteFailed, syscall.EOPNOTSUPP, false},
	6:                     {ip.NetUnreachable, syscall.ENETUNREACH, true},
	7:                     {ip.HostUnreachable, syscall.EHOSTDOWN, true},
	8:                     {ip.HostUnreachable, errNoNet, true},
	9:                     {ip.Prohibited, syscall.ENETUNREACH, true},
	10:                    {ip.Prohibited, syscall.EHOSTUNREACH, true},
	11:                    {ip.NetUnreachable, syscall.ENETUNREACH, false},
	12:                    {ip.HostUnreachable, syscall.EHOSTUNREACH, false},
	CodeAdminProhibited:   {ip.Prohibited, syscall.EHOSTUNREACH, true},
	14:                    {ip.Prohibited, syscall.EHOSTUNREACH, true},
	15:                    {ip.Prohibited, syscall.EHOSTUNREACH, true},
}

// ErrorOf is a received error of a type and code (RFC 1122 section 4.1.3.3, RFC 6633 section 3), without what it quotes.
func ErrorOf(typ, code uint8) ip.Error {
	m := meaningOf(typ, code)
	return ip.Error{Kind: m.kind, Errno: m.errno, Hard: m.hard, Type: typ, Code: code}
}

func meaningOf(typ, code uint8) meaning {
	switch typ {
	case Unreachable:
		if int(code) < len(unreachable) {
			return unreachable[code]
		}
		return meaning{ip.OtherError, syscall.EHOSTUNREACH, false}
	case TimeExceeded:
		if code == CodeReassembly {
			return meaning{ip.ReassemblyTimeout, syscall.EHOSTUNREACH, false}
		}
		return meaning{ip.TTLExceeded, syscall.EHOSTUNREACH, false}
	case ParameterProblem:
		return meaning{ip.BadParameter, syscall.EPROTO, true}
	case Redirect:
		return meaning{kind: ip.Redirect}
	}
	return meaning{}
}
