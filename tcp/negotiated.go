package tcp

import (
	"fmt"
	"slices"
	"strings"
)

// Negotiated is the set of options that both ends of a connection use, in the words of ss.
type Negotiated uint8

const (
	UsesTimestamps  Negotiated = 1 << iota // RFC 7323
	UsesSACK                               // RFC 2018
	UsesECN                                // RFC 3168
	UsesWindowScale                        // RFC 7323
)

var negotiatedNames = [...]string{"ts", "sack", "ecn", "wscale"}

// Has reports whether all of flags are in n.
func (n Negotiated) Has(flags Negotiated) bool { return n&flags == flags }

// String lists the options as ss does: "ts sack wscale".
func (n Negotiated) String() string {
	var words []string
	for i, name := range negotiatedNames {
		if n>>i&1 != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(words, " ")
}

// MarshalText returns String as bytes.
func (n Negotiated) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (n *Negotiated) UnmarshalText(text []byte) error {
	*n = 0
	for _, word := range strings.Fields(string(text)) {
		i := slices.Index(negotiatedNames[:], word)
		if i < 0 {
			return fmt.Errorf("tcp: %q is not a TCP option", word)
		}
		*n |= 1 << i
	}
	return nil
}

// negotiated returns the options that both ends use.
func (c *Conn) negotiated() (n Negotiated) {
	for i, on := range [...]bool{c.tsOK, c.sackOK, c.ecn.ok, c.scaleOK} {
		if on {
			n |= 1 << i
		}
	}
	return n
}

// CAState is the state of loss recovery under Linux's name (tcpi_ca_state).
type CAState uint8

const (
	CAOpen     CAState = iota // no recovery
	CARecovery                // recovery from a loss that ACKs have shown
	CALoss                    // recovery after a timeout
)

var caStateNames = [...]string{"open", "recovery", "loss"}

func (s CAState) String() string { return caStateNames[s] }

// MarshalText returns String as bytes.
func (s CAState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *CAState) UnmarshalText(text []byte) error {
	i := slices.Index(caStateNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("tcp: %q is not a state of congestion control", text)
	}
	*s = CAState(i)
	return nil
}
