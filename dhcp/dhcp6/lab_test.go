package dhcp6

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/stretchr/testify/require"

	"tunstack/internal/stats"
)

var (
	duid   = &dhcpv6.DUIDUUID{UUID: [16]byte{1, 2, 3}}
	server = &dhcpv6.DUIDEN{EnterpriseNumber: 9, EnterpriseIdentifier: []byte("server")}
	other  = &dhcpv6.DUIDEN{EnterpriseNumber: 9, EnterpriseIdentifier: []byte("other")}
	iaid   = [4]byte{0, 0, 0, 7}
	own    = netip.MustParseAddr("2001:db8::7")
)

// lab is a Client in virtual time with a log of what it does.
type lab struct {
	t        *testing.T
	c        *Client
	now      time.Duration
	log      []string
	last     *dhcpv6.Message // sent
	at       []time.Duration // of the messages
	settings Settings
}

func newLab(t *testing.T, m Mode) *lab {
	l := &lab{t: t}
	l.c = New(Config{DUID: duid, IAID: iaid, Rand: rand.New(rand.NewPCG(1, 2)), Patience: Forever / 2}, l)
	l.c.SetMode(0, m)
	return l
}

// Send implements Host.
func (l *lab) Send(m *dhcpv6.Message) {
	parsed, err := Parse(m.ToBytes())
	require.NoError(l.t, err)
	require.Equal(l.t, duid, parsed.Options.ClientID())
	l.last = parsed
	text := m.MessageType.String()
	if id := parsed.Options.ServerID(); id != nil {
		text += " to " + strings.TrimLeft(string(id.ToBytes()), "\x00\x02\x09")
	}
	for _, ia := range parsed.Options.IANA() {
		require.Equal(l.t, iaid, ia.IaId)
		for _, a := range ia.Options.Addresses() {
			text += " " + a.IPv6Addr.String()
		}
	}
	l.log = append(l.log, text)
	l.at = append(l.at, l.now)
}

// Claim implements Host.
func (l *lab) Claim(a netip.Addr, preferred, valid time.Duration) {
	l.log = append(l.log, fmt.Sprintf("claim %s %s %s", a, preferred, valid))
}

// Extend implements Host.
func (l *lab) Extend(a netip.Addr, preferred, valid time.Duration) {
	l.log = append(l.log, fmt.Sprintf("extend %s %s %s", a, preferred, valid))
}

// Remove implements Host.
func (l *lab) Remove(a netip.Addr) { l.log = append(l.log, "remove "+a.String()) }

// Configure implements Host.
func (l *lab) Configure(s Settings) { l.settings = s }

// Silent implements Host.
func (l *lab) Silent() { l.log = append(l.log, "silent") }

// run lets time pass.
func (l *lab) run(d time.Duration) {
	end := l.now + d
	for l.c.Next() <= end {
		l.now = max(l.now, l.c.Next())
		l.c.Expire(l.now)
	}
	l.now = end
}

// does requires what the client has done since the last call.
func (l *lab) does(want ...string) {
	l.t.Helper()
	require.Equal(l.t, want, slices.Clone(l.log))
	l.log = nil
}

// change changes an answer.
type change func(m *dhcpv6.Message)

func add(o ...dhcpv6.Option) change {
	return func(m *dhcpv6.Message) {
		for _, o := range o {
			m.Options.Update(o)
		}
	}
}

func without(code dhcpv6.OptionCode) change {
	return func(m *dhcpv6.Message) { m.Options.Del(code) }
}

func raw(code dhcpv6.OptionCode, b ...byte) dhcpv6.Option {
	return &dhcpv6.OptionGeneric{OptionCode: code, OptionData: b}
}

// seconds is an option with a time in seconds.
func seconds(code dhcpv6.OptionCode, n uint32) dhcpv6.Option {
	return raw(code, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// ia is an IA_NA with T1, T2 and addresses, each with a preferred and a valid lifetime: "2001:db8::7 100 200".
func ia(t1, t2 uint32, addresses ...string) *dhcpv6.OptIANA {
	ia := &dhcpv6.OptIANA{IaId: iaid, T1: time.Duration(t1) * time.Second, T2: time.Duration(t2) * time.Second}
	for _, text := range addresses {
		var a string
		var preferred, valid uint32
		_, err := fmt.Sscan(text, &a, &preferred, &valid)
		if err != nil {
			panic(err)
		}
		ia.Options.Add(&dhcpv6.OptIAAddress{
			IPv6Addr: net.ParseIP(a), PreferredLifetime: time.Duration(preferred) * time.Second, ValidLifetime: time.Duration(valid) * time.Second,
		})
	}
	return ia
}

// failed is an IA_NA with a status.
func failed(code iana.StatusCode) *dhcpv6.OptIANA {
	o := ia(0, 0)
	o.Options.Add(&dhcpv6.OptStatusCode{StatusCode: code})
	return o
}

const hour = "2001:db8::7 3600 7200"

// reply makes an answer to the last message.
func (l *lab) reply(typ dhcpv6.MessageType, changes ...change) *dhcpv6.Message {
	m := &dhcpv6.Message{MessageType: typ, TransactionID: l.last.TransactionID}
	m.AddOption(dhcpv6.OptClientID(duid))
	m.AddOption(dhcpv6.OptServerID(server))
	if l.last.MessageType != dhcpv6.MessageTypeInformationRequest {
		m.AddOption(ia(1000, 2000, hour))
	}
	for _, f := range changes {
		f(m)
	}
	return m
}

func (l *lab) advertises(changes ...change) {
	l.c.Input(l.now, l.reply(dhcpv6.MessageTypeAdvertise, changes...).ToBytes())
}

func (l *lab) replies(changes ...change) {
	l.c.Input(l.now, l.reply(dhcpv6.MessageTypeReply, changes...).ToBytes())
}

// bind leads the client to BOUND with a Reply that is changed.
func (l *lab) bind(changes ...change) *lab {
	l.t.Helper()
	l.run(time.Second)
	l.advertises(add(dhcpv6.OptPreference(255)))
	l.run(0)
	l.replies(changes...)
	require.Equal(l.t, Bound, l.c.State(), strings.Join(l.log, "; "))
	l.log, l.at = nil, nil
	return l
}

func (l *lab) count(name string) uint64 { return stats.Count(name, l.c.Stats()) }
