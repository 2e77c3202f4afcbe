package dhcp

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"tunstack/dhcp/dhcp4"
	"tunstack/link"
)

// fallback is the link-local address of an interface without a lease (RFC 3927). Only the loop uses it.
type fallback struct {
	c      *Client
	next   func() netip.Prefix
	addr   netip.Prefix       // in use or claimed
	cancel context.CancelFunc // of the claim; nil: none is wanted
	owned  bool
}

func (f *fallback) init(c *Client, mac link.MAC) {
	f.c, f.next = c, dhcp4.LinkLocal(mac[:])
}

// start looks for an address, unless it does already.
func (f *fallback) start() {
	if f.cancel == nil {
		f.claim()
	}
}

// claim claims the next address. The link slows repeated conflicts down (RFC 3927 section 2.2.1).
func (f *fallback) claim() {
	ctx, cancel := context.WithCancel(f.c.ctx)
	f.addr, f.cancel = f.next(), cancel
	addr := f.addr
	f.c.running.Go(func() {
		err := f.c.stack.AddAddress(ctx, f.c.device, addr)
		f.c.post(func(time.Duration) { f.decided(ctx, err) })
	})
}

func (f *fallback) decided(ctx context.Context, err error) {
	var conflict *link.Conflict
	switch {
	case ctx.Err() != nil: // stopped meanwhile
	case errors.As(err, &conflict):
		f.claim()
	case err == nil:
		f.owned = true
		f.c.cfg.Logger.Info("link-local address", "interface", f.c.device, "address", f.addr)
		f.c.publish()
	}
}

// taken looks for another address if the own one is lost to another host (RFC 3927 section 2.5).
func (f *fallback) taken(addr netip.Addr) {
	if f.owned && f.addr.Addr() == addr {
		f.owned = false
		f.claim()
		f.c.publish()
	}
}

// stop gives the address up, because a lease is there (RFC 3927 section 1.9).
func (f *fallback) stop() {
	if f.cancel == nil {
		return
	}
	f.cancel()
	_ = f.c.stack.RemoveAddress(f.c.device, f.addr.Addr()) // the end of a claim that is not decided removes it, too
	f.cancel, f.owned, f.addr = nil, false, netip.Prefix{}
}
