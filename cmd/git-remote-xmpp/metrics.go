package main

import (
	"context"

	"git-remote-xmpp/internal/metrics"
	"git-remote-xmpp/internal/serve"
)

// metrics takes the address to answer Prometheus at, if there is one; measure begins to answer.
func (s *setup) metrics(ctx context.Context, address string) (measure func(*serving), stop func(), err error) {
	if address == "" {
		return func(*serving) {}, func() {}, nil
	}
	server, err := metrics.Listen(ctx, address, s.log)
	if err != nil {
		return nil, nil, err
	}
	return func(of *serving) {
		server.Serve(programVersion(), of.facts)
		s.log.Info("metrics", "at", "http://"+server.Address().String()+"/metrics")
	}, server.Close, nil
}

// facts are the figures of a serve.
func (s *serving) facts(ctx context.Context) metrics.Facts {
	m, c := s.Measure(ctx), s.Endpoint.Counts()
	f := metrics.Facts{
		Online: c.Linked, Reconnects: c.Reconnects, Repositories: m.Repositories,
		Connections: make(map[metrics.Connection]int), Runs: make(map[metrics.Run]int), Ended: make(map[metrics.Ended]uint64),
		Bytes: map[metrics.Bytes]uint64{
			{Direction: "sent", Path: serve.InBand}: c.InBandSent, {Direction: "received", Path: serve.InBand}: c.InBandReceived,
			{Direction: "sent", Path: serve.DirectPath}: c.DirectSent, {Direction: "received", Path: serve.DirectPath}: c.DirectReceived,
		},
	}
	for _, direction := range []serve.Direction{serve.Incoming, serve.Outgoing} {
		for _, path := range []string{serve.InBand, serve.DirectPath, serve.Relayed, serve.Bytestream} {
			f.Connections[metrics.Connection{Direction: string(direction), Path: path}] = 0
		}
	}
	for _, one := range m.Connections {
		f.Connections[metrics.Connection{Direction: string(serve.Incoming), Path: one.Path}]++
	}
	for _, one := range s.pool.Connections() {
		var out serve.Connection
		out.SetPath(one.Path)
		f.Connections[metrics.Connection{Direction: string(serve.Outgoing), Path: out.Path}]++
	}
	for side, n := range m.Running {
		f.Runs[metrics.Run{Side: side, State: "running"}] = n
	}
	for side, n := range m.Waiting {
		f.Runs[metrics.Run{Side: side, State: "waiting"}] = n
	}
	for kind, by := range m.Ended {
		for result, n := range by {
			f.Ended[metrics.Ended{Service: kind.String(), Result: result.String()}] = n
		}
	}
	return f
}
