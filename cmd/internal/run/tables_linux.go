package run

import "net/netip"

// Interface is an interface of the stack as the program sees it.
type Interface struct {
	Index     int
	Name      string
	Addresses []netip.Prefix
	MTU       int
	Loopback  bool
}

// Route is a route of the stack as the program sees it.
type Route struct {
	Prefix    netip.Prefix
	Gateway   netip.Addr // zero: on the link
	Interface int        // index
	Source    netip.Addr
	Metric    int
}

// tables are the stack's interfaces and routes.
type tables struct {
	interfaces []Interface
	routes     []Route
}

func newTables(cfg Config) *tables { return &tables{cfg.Interfaces, cfg.Routes} }

// name is the name of the interface with an index.
func (t *tables) name(index uint32) string {
	for _, i := range t.interfaces {
		if i.Index == int(index) {
			return i.Name
		}
	}
	return ""
}

// index is the index of the interface with a name; 0: there is none.
func (t *tables) index(name string) uint32 {
	for _, i := range t.interfaces {
		if i.Name == name {
			return uint32(i.Index)
		}
	}
	return 0
}
