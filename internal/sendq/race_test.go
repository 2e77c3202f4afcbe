//go:build race

package sendq

// raceEnabled: the race detector allocates on its own.
const raceEnabled = true
