package socketapi

import "syscall"

// NameIndex is one row of IfNameIndex (struct if_nameindex).
type NameIndex struct {
	Index int // positive
	Name  string
}

// IfNameToIndex returns the index of the interface with a name, its place in Interfaces counted from 1; 0 for an unknown name
// (if_nametoindex(3)).
func (s *Stack) IfNameToIndex(name string) int { return s.ip.NumberOf(s.ip.InterfaceNamed(name)) }

// IfIndexToName returns the name of the interface with an index (if_indextoname(3)). The error is ENXIO for an unknown index.
func (s *Stack) IfIndexToName(index int) (string, error) {
	i := s.ip.InterfaceAt(index)
	if i == nil {
		return "", syscall.ENXIO
	}
	return i.Name(), nil
}

// IfNameIndex lists all interfaces with their indexes (if_nameindex(3)).
func (s *Stack) IfNameIndex() (list []NameIndex) {
	for n, i := range s.Interfaces() {
		list = append(list, NameIndex{n + 1, i.Name})
	}
	return list
}
