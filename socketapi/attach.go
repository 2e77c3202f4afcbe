package socketapi

import (
	"io"
	"time"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ipv6/autoconf"
	"tunstack/link"
	"tunstack/tun"
)

// attachment is a link with its interface and its device.
type attachment struct {
	name     string
	link     statistics
	ethernet *link.Ethernet // of a TAP device
	callback *link.Callback // of a link without a device
	device   tun.Device
	queues   []*queue
	ip       *ip.Interface
	host     *autoconf.Host // nil: the interface configures nothing by itself
}

// statistics is a link with counters.
type statistics interface{ Stats() any }

// queue is a device's queue and the interface that receives its packets.
type queue struct {
	tun.Queue
	device  string // its name
	number  uint16
	pending packet.Batch
	link    deviceLink
}

// deviceLink is a link on a device.
type deviceLink interface {
	Input(now time.Duration, p *packet.Buffer)
	Cork(queue uint16)
	Uncork(queue uint16)
}

// attach adds an interface: it makes the link that the device calls for and joins it to ip.
func (s *Stack) attach(c *Interface, random io.Reader) error {
	a := attachment{name: c.Name, device: c.Device}
	var l linkLayer
	switch {
	case c.Device == nil:
		a.callback = link.NewCallback(c.MTU, c.Output)
		l = a.callback
	case c.Device.Kind() == tun.TAP:
		e, err := link.NewEthernet(link.Config{
			Device: c.Device, Timers: &s.timers, Rand: random,
			MAC: c.MAC, Neighbors: c.Neighbors, ACD: c.ACD, Conflict: s.conflict, Router: s.ip.Config().Forwarding,
		})
		if err != nil {
			return err
		}
		a.ethernet = e
		a.queues = queuesOf(c.Device, e)
		l = e
	default:
		d := link.NewTun(c.Device)
		a.queues = queuesOf(c.Device, d)
		l = d
	}
	i, err := s.ip.AddInterface(c.Name, l)
	if err != nil {
		return err
	}
	l.SetHandler(i)
	a.link, a.ip = l, i
	if err := s.configure(&a, c, random); err != nil {
		return err
	}
	s.links = append(s.links, a)
	return nil
}

// linkLayer is the common interface of the links.
type linkLayer interface {
	ip.Link
	statistics
	SetHandler(link.Handler)
}

func queuesOf(d tun.Device, l deviceLink) []*queue {
	var queues []*queue
	for i, q := range d.Queues() {
		queues = append(queues, &queue{Queue: q, device: d.Name(), number: uint16(i), link: l})
	}
	return queues
}

// conflict handles the link's report that another host uses an address of the stack.
func (s *Stack) conflict(_ time.Duration, c *link.Conflict) {
	s.log.Warn("address conflict", "address", c.Addr, "other", c.MAC.String(), "lost", c.Lost)
	if !c.Lost {
		return
	}
	for _, a := range s.links {
		if a.ethernet != nil && a.ip.RemoveAddress(c.Addr) == nil { // else it is another interface's
			s.lost.tell(c)
			return
		}
	}
}
