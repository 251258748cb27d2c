package transport

import (
	"io"
	"testing"
)

// The rate of a direct path on one machine, both ends of which share its processors.
func BenchmarkDirect(b *testing.B) {
	_, alice, bob := near(b, func(_ *lan, a, b *Config) { a.Direct.listen, b.Direct.listen = nil, nil })
	awaitPath(b, true, alice, bob)
	const size = 100 << 20
	b.SetBytes(size)
	for b.Loop() {
		out, err := alice.OpenStream(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		go func() {
			part := make([]byte, 32<<10)
			for range size / len(part) {
				if _, err := out.Write(part); err != nil {
					return
				}
			}
			_ = out.Close() // the reader counts
		}()
		in, err := bob.AcceptStream(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, in); n != size || err != nil {
			b.Fatal(n, err)
		}
	}
	stats := alice.quic.ConnectionStats()
	b.ReportMetric(float64(stats.PacketsLost)/float64(stats.PacketsSent)*100, "%lost")
	if !alice.Path().Direct {
		b.Errorf("%+v", alice.Path())
	}
}
