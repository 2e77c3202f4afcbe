// Package race reports whether the race detector is compiled in. Its builds allocate where others do not and run many times
// slower, so tests that count allocations or move much data check Enabled.
package race
