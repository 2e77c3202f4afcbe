// Package option checks what options of DHCPv4 and DHCPv6 alike contain.
package option

// Domain is a name if it is one of DNS, without a dot at the end, else "".
func Domain(name string) string {
	for len(name) > 0 && (name[len(name)-1] == '.' || name[len(name)-1] == 0) {
		name = name[:len(name)-1]
	}
	if len(name) > 253 {
		return ""
	}
	label := 0
	for i := range len(name) {
		b := name[i]
		switch letter := b|0x20 >= 'a' && b|0x20 <= 'z'; {
		case b == '.' && label > 0:
			label = -1
		case !letter && (b < '0' || b > '9') && b != '-' && b != '_':
			return ""
		}
		if label++; label > 63 {
			return ""
		}
	}
	return name
}

// Domains are the first names of a list that Domain accepts, at most most.
func Domains(names []string, most int) []string {
	list := []string{}
	for _, name := range names {
		if name = Domain(name); name != "" && len(list) < most {
			list = append(list, name)
		}
	}
	return list
}
