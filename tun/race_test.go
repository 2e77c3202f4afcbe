//go:build race

package tun

// raceEnabled: the race detector allocates on its own.
const raceEnabled = true
