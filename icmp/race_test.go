//go:build race

package icmp

const raceEnabled = true
