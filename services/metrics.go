package services

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsHandler serves the state of a stack to Prometheus, from a registry per stack, because many stacks live in one process.
func metricsHandler(of Observed) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{of})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// collector makes metrics from a stack's counters, connections and sockets at each scrape. The counter tcp.in.segments becomes
// tunstack_tcp_in_segments_total; all counters named LAYER.drop.REASON become one metric with these labels.
type collector struct{ of Observed }

var (
	dropsDesc = prometheus.NewDesc("tunstack_drops_total",
		"Packets dropped, by layer and reason; netstat -s lists their meanings.", []string{"layer", "reason"}, nil)
	connectionsDesc = prometheus.NewDesc("tunstack_tcp_connections",
		"TCP connections by state as ss names it, those without an owner among them.", []string{"state"}, nil)
	socketsDesc = prometheus.NewDesc("tunstack_sockets",
		"Sockets by protocol, TCP's connections and listeners among them.", []string{"protocol"}, nil)
	mtuDesc = prometheus.NewDesc("tunstack_interface_mtu_bytes",
		"Largest datagram that an interface carries.", []string{"interface"}, nil)
)

// tcpStates are the states of connections in SocketInfo.State, listed so that the metrics include states without connections.
var tcpStates = []string{
	"SYN-SENT", "SYN-RECV", "ESTAB", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
}

// Describe implements prometheus.Collector.
func (c collector) Describe(descs chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, descs) }

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	c.counters(metrics)
	c.sockets(metrics)
	for _, i := range c.of.Interfaces() {
		metrics <- prometheus.MustNewConstMetric(mtuDesc, prometheus.GaugeValue, float64(i.MTU), i.Name)
	}
}

func (c collector) counters(metrics chan<- prometheus.Metric) {
	for _, v := range c.of.Counters() {
		desc, labels := dropsDesc, []string(nil)
		if layer, reason, ok := strings.Cut(v.Name, ".drop."); ok {
			labels = []string{layer, reason}
		} else {
			desc = prometheus.NewDesc(metricName(v.Name), strings.ToUpper(v.Doc[:1])+v.Doc[1:]+".", nil, nil)
		}
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(v.Value), labels...)
	}
}

// metricName is a counter's name in the style of Prometheus.
func metricName(counter string) string {
	return "tunstack_" + strings.ReplaceAll(counter, ".", "_") + "_total"
}

// sockets counts sockets and connections.
func (c collector) sockets(metrics chan<- prometheus.Metric) {
	protocols, states := map[string]int{}, map[string]int{}
	for s := range c.of.AllSockets(false) {
		protocols[s.Protocol]++
		if s.Protocol == "tcp" {
			states[s.State]++
		}
	}
	for _, p := range []string{"tcp", "udp", "raw"} {
		metrics <- prometheus.MustNewConstMetric(socketsDesc, prometheus.GaugeValue, float64(protocols[p]), p)
	}
	for _, s := range tcpStates {
		metrics <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(states[s]), s)
	}
}
