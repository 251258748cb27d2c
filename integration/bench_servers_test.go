package integration

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	benchRounds = 5 // unless BENCH_ROUNDS says otherwise
	// benchTime is after how long no further round begins: a busy machine makes fewer rounds.
	benchTime = 3 * time.Minute
)

// BenchmarkServers measures what the tunnel makes of what a server carries, and prints one table. In each round each
// row is measured once, so that all rows see the same machine.
func BenchmarkServers(b *testing.B) {
	var servers []*testserver.Server
	for _, name := range testserver.XMPP {
		servers = append(servers, benchServer(b, name, testserver.Options{}))
	}
	carol := newHome(b, servers[0], "Carol", "carol")
	ssh := benchSSH(b, carol)
	rows := append(ssh, benchLocal(b, carol)...)
	for _, s := range servers {
		rows = append(rows, benchOver(b, s, ssh)...)
	}
	benchReport(b, "servers", rows, benchRounds, fmt.Sprintf("%d MiB of random data. MB are 10^6 bytes.\nratio: median of the ratios to the best row of its kind, each within a round.", benchDataBytes>>20))
}

// benchRun measures each row once in each round, and says how many rounds that were and how long they took.
func benchRun(b *testing.B, rows []*benchRow, rounds int) (done int, took time.Duration) {
	b.Helper()
	rounds = benchRoundsWanted(b, rounds)
	for begin := time.Now(); done < rounds && took < benchTime; took = time.Since(begin) {
		for _, r := range rows {
			r.round()
		}
		done++
	}
	return done, took
}

func benchRoundsWanted(b *testing.B, rounds int) int {
	given := os.Getenv("BENCH_ROUNDS")
	if given == "" {
		return rounds
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 1 {
		b.Fatalf("BENCH_ROUNDS=%s isn't a number of rounds", given)
	}
	return n
}

// machineLoad is how busy the machine is, where it says so.
func machineLoad() string {
	load := loadAverage()
	if load == "" {
		return ""
	}
	return fmt.Sprintf(", load %s on %d cores", load, runtime.NumCPU())
}
