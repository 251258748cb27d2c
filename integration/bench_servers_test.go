package integration

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
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
		servers = append(servers, testserver.New(b, name, testserver.Options{}))
	}
	carol := newHome(b, servers[0], "Carol", "carol")
	ssh := benchSSH(b, carol)
	rows := append(ssh, benchLocal(b, carol)...)
	for _, s := range servers {
		rows = append(rows, benchOver(b, s, ssh)...)
	}
	done, took := benchRun(b, rows, benchRounds)
	fmt.Printf("\n%d MiB of random data; %d rounds in %v%s. MB are 10^6 bytes.\nratio: median of the ratios to the best row of its kind, each within a round.\n\n",
		benchDataBytes>>20, done, took.Round(time.Second), machineLoad())
	if err := printBench(os.Stdout, rows); err != nil {
		b.Fatal(err)
	}
	fmt.Println()
	b.ReportMetric(0, "ns/op") // the table says it all
}

// benchRun measures each row once in each round, and says how many rounds that were and how long they took.
func benchRun(b *testing.B, rows []*benchRow, rounds int) (done int, took time.Duration) {
	b.Helper()
	rounds = benchRoundsWanted(b, rounds)
	for begin := time.Now(); done < rounds && took < benchTime; took = time.Since(begin) {
		for _, r := range rows {
			r.took = append(r.took, r.measure())
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
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return fmt.Sprintf(", load %s on %d cores", strings.Join(strings.Fields(string(text))[:3], " "), runtime.NumCPU())
}
