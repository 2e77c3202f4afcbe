package main

// row is a line of the table: one metric of one load.
type row struct {
	load, metric string
	title        string
	format       string
	scale        float64 // from the metric's unit to the table's; 0: 1
	lower        bool    // lower values are better
	goals        []goal
}

// goal is the goal of one of our stacks: a ratio to a peer, or without a peer a value. It is an upper bound for a row where
// lower is better, otherwise a lower bound.
type goal struct {
	stack, peer string
	bound       float64
}

const (
	vnet, plain, vnetBBR          = "tunstack-vnet", "tunstack-1500", "tunstack-bbr"
	reflectorVnet, reflectorPlain = "reflector-vnet", "reflector-1500"
	gvisorVnet, gvisorPlain       = "gvisor-vnet", "gvisor-1500"
	plain64k                      = "tunstack-64k"
	lwipPlain, lwip64k            = "lwip-1500", "lwip-64k"
	kernel                        = "kernel"
	vnet6, gvisorVnet6            = vnet + sixSuffix, gvisorVnet + sixSuffix
	plain6, gvisorPlain6          = plain + sixSuffix, gvisorPlain + sixSuffix
)

var (
	bulkGoals = []goal{{vnet, reflectorVnet, 0.85}, {vnet, gvisorVnet, 2}, {vnet, kernel, 1},
		{plain, reflectorPlain, 0.7}, {plain, lwipPlain, 1.5}, {plain, gvisorPlain, 2.5}, {plain64k, lwip64k, 1},
		{vnet6, vnet, 0.95}, {vnet6, gvisorVnet6, 2}, {plain6, plain, 0.95}, {plain6, gvisorPlain6, 2}}
	cpuGoals  = []goal{{vnet, gvisorVnet, 0.45}}
	p50Goals  = []goal{{vnet, reflectorVnet, 1.15}, {vnet6, vnet, 1.05}}
	rateGoals = []goal{{vnet, reflectorVnet, 0.8}, {vnet, gvisorVnet, 3}, {vnet6, vnet, 0.95}, {vnet6, gvisorVnet6, 3}}
	openGoals = []goal{{vnet, reflectorVnet, 0.85}, {vnet, kernel, 1}, {vnet, gvisorVnet, 1.8}, {vnet6, vnet, 0.95}, {vnet6, gvisorVnet6, 1.2}}
)

// rows are the table.
var rows = []row{
	{load: "up-1", metric: "gbps", title: "upload, 1 connection, Gbit/s", format: "%.1f", goals: bulkGoals},
	{load: "up-8", metric: "gbps", title: "upload, 8", format: "%.1f", goals: bulkGoals},
	{load: "up-64", metric: "gbps", title: "upload, 64", format: "%.1f", goals: bulkGoals},
	{load: "down-1", metric: "gbps", title: "download, 1 connection, Gbit/s", format: "%.1f", goals: bulkGoals},
	{load: "down-8", metric: "gbps", title: "download, 8", format: "%.1f", goals: bulkGoals},
	{load: "down-64", metric: "gbps", title: "download, 64", format: "%.1f", goals: bulkGoals},
	{load: "up-1", metric: "cpu", title: "CPU s of the stack per GB, up, 1", format: "%.2f", lower: true, goals: cpuGoals},
	{load: "up-8", metric: "cpu", title: "up, 8", format: "%.2f", lower: true, goals: cpuGoals},
	{load: "down-1", metric: "cpu", title: "down, 1", format: "%.2f", lower: true, goals: cpuGoals},
	{load: "down-8", metric: "cpu", title: "down, 8", format: "%.2f", lower: true, goals: cpuGoals},
	{load: "echo-1", metric: "p50", title: "TCP echo of 1 byte, p50 us", format: "%.0f", lower: true, goals: p50Goals},
	{load: "echo-1", metric: "p99", title: "p99 us", format: "%.0f", lower: true},
	{load: "echo-1-apart", metric: "p50", title: "a core each, p50 us", format: "%.0f", lower: true, goals: p50Goals},
	{load: "echo-1-core", metric: "rate", title: "on one core, 1000 round trips/s", format: "%.1f", scale: 1e-3, goals: []goal{{vnet, kernel, 1}}},
	{load: "echo-32", metric: "rate", title: "32 connections, 1000 round trips/s", format: "%.0f", scale: 1e-3, goals: rateGoals},
	{load: "echo-of-10000", metric: "few", title: "CPU us of the stack per round trip, 32 in flight on 32", format: "%.1f", lower: true},
	{load: "echo-of-10000", metric: "cpu", title: "on 10,000 in turn", format: "%.1f", lower: true},
	{load: "echo-of-10000", metric: "share", title: "of that on 32", format: "%.2f", lower: true, goals: []goal{{vnet, kernel, 1}}},
	{load: "udp-32", metric: "rate", title: "UDP echo, 32 in flight, 1000 round trips/s", format: "%.0f", scale: 1e-3, goals: rateGoals},
	{load: "connect-rst", metric: "rate", title: "connect, byte, reset, 1000/s", format: "%.1f", scale: 1e-3, goals: openGoals},
	{load: "connect-fin", metric: "rate", title: "connect, byte, close, 1000/s", format: "%.1f", scale: 1e-3, goals: openGoals},
	{load: "churn", metric: "rate", title: "100,000 opened and closed, 1000/s", format: "%.1f", scale: 1e-3},
	{load: "churn", metric: "left", title: "left in the table, but for TIME-WAIT", format: "%.0f", lower: true, goals: []goal{{vnet, "", 0}}},
	{load: "churn", metric: "bytes", title: "bytes left in memory for each", format: "%.0f", lower: true},
	{load: "ping", metric: "rate", title: "ping flood, 1000/s", format: "%.0f", scale: 1e-3, goals: []goal{{vnet, reflectorVnet, 1}}},
	{load: "idle", metric: "kib", title: "idle connection, KiB resident", format: "%.1f", lower: true, goals: []goal{{vnet, "", 2}, {vnet6, "", 2.2}}},
	{load: "beside-idle", metric: "share", title: "upload beside 100,000 idle connections, of that without", format: "%.2f",
		goals: []goal{{vnet, "", 0.95}}},
	{load: "names-again", metric: "rate", title: "lookups of a name in the cache, 1000/s", format: "%.0f", scale: 1e-3, goals: []goal{{vnet, "", 50_000}}},
	{load: "names-again", metric: "allocs", title: "allocations for each", format: "%.1f", lower: true},
	{load: "names-again", metric: "bytes", title: "bytes left in memory for each", format: "%.1f", lower: true, goals: []goal{{vnet, "", 1}}},
	{load: "names-burst", metric: "rate", title: "1,000 names at once, 1000/s", format: "%.1f", scale: 1e-3, goals: []goal{{vnet, kernel, 1}}},
	{load: "names-burst", metric: "queries", title: "the most queries at a time", format: "%.0f", lower: true, goals: []goal{{vnet, "", 256}}},
	{load: "loss-down", metric: "gbps", title: "download, 16, 1 % loss, 20 ms, Mbit/s", format: "%.1f", scale: 1e3,
		goals: []goal{{vnet, kernel, 1}, {vnetBBR, gvisorPlain, 1.2}}},
}
