// Package stats counts events on the packet path under names that give the reason.
//
// A layer declares its counters as the fields of one struct; tags carry the name, the meaning and,
// for drops, the section that asks for the drop:
//
//	type Stats struct {
//		InPackets    stats.Counter `name:"ipv4.in.packets" doc:"datagrams received"`
//		DropChecksum stats.Counter `name:"ipv4.drop.bad_checksum" doc:"header checksum wrong" rfc:"RFC 1122 3.2.1.2"`
//	}
package stats

import (
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
)

// Counter is a number that only grows. The zero value is ready for use; it is safe for concurrent use.
type Counter struct{ v atomic.Uint64 }

// Inc adds one.
func (c *Counter) Inc() { c.v.Add(1) }

// Add adds n.
func (c *Counter) Add(n uint64) { c.v.Add(n) }

// Value is the count now.
func (c *Counter) Value() uint64 { return c.v.Load() }

// Value is one counter as it stood when it was read.
type Value struct {
	Name  string `json:"name"`  // layer.kind.reason: "tcp.drop.bad_checksum"
	Value uint64 `json:"value"` // events since the stack's birth
	Doc   string `json:"doc"`
	RFC   string `json:"rfc,omitempty"` // the section that asks for the behaviour
}

// Of returns the counter of a layer that c points to; set is as for Read.
func Of(set any, c *Counter) Value {
	v := reflect.ValueOf(set).Elem()
	for i := range v.NumField() {
		if v.Field(i).Addr().Interface() == any(c) {
			return value(v.Type().Field(i), c)
		}
	}
	return Value{}
}

func value(f reflect.StructField, c *Counter) Value {
	return Value{Name: f.Tag.Get("name"), Value: c.Value(), Doc: f.Tag.Get("doc"), RFC: f.Tag.Get("rfc")}
}

// Read returns the counters of a layer in the order of their declaration. set is a pointer to a struct whose
// fields are Counters with tags; anything else is a programming error and panics.
func Read(set any) []Value {
	v := reflect.ValueOf(set).Elem()
	values := make([]Value, 0, v.NumField())
	for i := range v.NumField() {
		f := v.Type().Field(i)
		c, ok := v.Field(i).Addr().Interface().(*Counter)
		if !ok || f.Tag.Get("name") == "" {
			panic(fmt.Sprintf("stats: %s.%s is not a named Counter", v.Type(), f.Name))
		}
		values = append(values, value(f, c))
	}
	return values
}

// Count is the value of the counter of that name in one of the sets, each as for Read. It panics if there is none.
func Count(name string, sets ...any) uint64 {
	for _, set := range sets {
		for _, v := range Read(set) {
			if v.Name == name {
				return v.Value
			}
		}
	}
	panic("stats: no counter " + name)
}

// Named is a counter of a layer with its tags, for callers that read it often.
type Named struct {
	*Counter
	Name, RFC string
}

// Drops returns the counters of a layer that count drops, in the order of their declaration; set is as for Read.
func Drops(set any) []Named {
	v := reflect.ValueOf(set).Elem()
	var drops []Named
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if strings.Contains(tag.Get("name"), ".drop.") {
			drops = append(drops, Named{v.Field(i).Addr().Interface().(*Counter), tag.Get("name"), tag.Get("rfc")})
		}
	}
	return drops
}
