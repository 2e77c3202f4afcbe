package stacks

import (
	"net/netip"

	"tunstack/link"
	"tunstack/socketapi"
	"tunstack/tun"
)

// tunstack is our stack on a device, with the default congestion control.
func tunstack(cfg tun.Config) func(Spec) (network, error) { return tunstackWith(cfg, "") }

// tunstackWith is our stack with a chosen congestion control.
func tunstackWith(cfg tun.Config, congestion string) func(Spec) (network, error) {
	return func(spec Spec) (network, error) {
		dev, err := openDevice(spec, cfg)
		if err != nil {
			return nil, err
		}
		config := socketapi.Config{Interfaces: []socketapi.Interface{{
			Device: dev, MTU: cfg.MTU, Addrs: []netip.Prefix{netip.PrefixFrom(spec.Addr, spec.Host.Bits())},
			ACD: link.ACD{ProbeNum: -1, AnnounceWait: -1}, // no other host is on the link
		}}}
		config.TCP.Congestion = congestion
		return socketapi.New(config)
	}
}

// openDevice opens the device of a Spec, behind a bad link if the Spec asks for it.
func openDevice(spec Spec, cfg tun.Config) (tun.Device, error) {
	cfg.Name, cfg.Hosts = spec.Dev, []netip.Prefix{spec.Host}
	dev, err := tun.Open(cfg)
	if err != nil {
		return nil, err
	}
	if !spec.Impair {
		return dev, nil
	}
	path := tun.Path{Loss: LossShare, Delay: LossDelay}
	return tun.Impair(dev, tun.Impairment{In: path, Out: path, Seed: 1}), nil
}
