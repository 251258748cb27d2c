// Package metrics shows to Prometheus what a serve is doing, on a port of this machine's own.
//
// It is given a function that says how things are, and must not know who finds that out. No label's value is one that somebody else chooses.
package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// askTimeout bounds how long it may take to find out how things are.
const askTimeout = 5 * time.Second

// Facts are how things are. Keys that aren't there aren't shown: what may be zero is to be there.
type Facts struct {
	Online       bool   // logged in
	Reconnects   uint64 // logins after the first
	Repositories int    // below 0: not known
	Connections  map[Connection]int
	Runs         map[Run]int
	Ended        map[Ended]uint64
	Bytes        map[Bytes]uint64
}

// A Connection is a kind of connection: who made it, and how its packets go.
type Connection struct{ Direction, Path string }

// A Run is a kind of what runs or waits.
type Run struct{ Side, State string }

// Ended is how a service came to its end.
type Ended struct{ Service, Result string }

// Bytes are those of packets that went one way.
type Bytes struct{ Direction, Path string }

func name(s string) string { return "git_remote_xmpp_" + s }

var (
	online       = prometheus.NewDesc(name("online"), "Whether serve is logged in at its XMPP server.", nil, nil)
	reconnects   = prometheus.NewDesc(name("reconnects_total"), "Logins after the first.", nil, nil)
	repositories = prometheus.NewDesc(name("repositories"), "Repositories that are served.", nil, nil)
	connections  = prometheus.NewDesc(name("connections"), "Connections with peers, by who made them and how packets go.", []string{"direction", "path"}, nil)
	runs         = prometheus.NewDesc(name("runs"), "Pushes taken in (receiving), pushes of ours (sending) and fetches that run or wait.", []string{"side", "state"}, nil)
	ended        = prometheus.NewDesc(name("ended_total"), "What peers have asked for, by how it ended.", []string{"service", "result"}, nil)
	packetBytes  = prometheus.NewDesc(name("packet_bytes_total"), "Bytes of packets, in messages or past them.", []string{"direction", "path"}, nil)
)

// A collector asks how things are when Prometheus does.
type collector struct {
	ctx   context.Context
	facts func(context.Context) Facts
}

// newRegistry has nothing in it but what is asked of facts, the version, and what Go and the system know of the process.
func newRegistry(ctx context.Context, version string, facts func(context.Context) Facts) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: name("build_info"), Help: "The version of the program; always 1.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.MustRegister(collector{ctx, facts}, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Describe says what there is.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{online, reconnects, repositories, connections, runs, ended, packetBytes} {
		out <- d
	}
}

// Collect says how it is.
func (c collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(c.ctx, askTimeout)
	defer cancel()
	f := c.facts(ctx)
	say := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	on := 0.0
	if f.Online {
		on = 1
	}
	say(online, prometheus.GaugeValue, on)
	say(reconnects, prometheus.CounterValue, float64(f.Reconnects))
	if f.Repositories >= 0 {
		say(repositories, prometheus.GaugeValue, float64(f.Repositories))
	}
	for k, n := range f.Connections {
		say(connections, prometheus.GaugeValue, float64(n), k.Direction, k.Path)
	}
	for k, n := range f.Runs {
		say(runs, prometheus.GaugeValue, float64(n), k.Side, k.State)
	}
	for k, n := range f.Ended {
		say(ended, prometheus.CounterValue, float64(n), k.Service, k.Result)
	}
	for k, n := range f.Bytes {
		say(packetBytes, prometheus.CounterValue, float64(n), k.Direction, k.Path)
	}
}
