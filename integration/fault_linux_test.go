package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	// A fleet's pushes take some seconds each, whatever the machine.
	fleetBytesPerSecond = 250_000
	fleetBytes          = 1 << 20
	// nextPushWithin is how long a push may take, beside what pushes take, after one of the same clone whose helper was killed. A peer
	// that has gone offline may come back, but nobody waits for that while its own next push waits.
	nextPushWithin = 18 * time.Second
	// lostAfter is how long a push may take to end after serve was killed and started anew.
	lostAfter = 15 * time.Second
)

// A fleet is many repositories of Bob's, a clone of each of Alice's with something to push, and how long such a push takes.
type fleet struct {
	*pair
	served, clones []string
	duration       time.Duration
	random         *rand.Rand
	files          int // that serve has open when nothing runs
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	var names []string
	for i := range many {
		names = append(names, fmt.Sprintf("r%d", i))
	}
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("FAULT_SEED"), 10, 64); err == nil {
		seed = given
	}
	server := testserver.XMPP[seed%uint64(len(testserver.XMPP))]
	t.Logf("FAULT_SEED=%d, %s", seed, server)
	f := &fleet{pair: newPair(t, testserver.New(t, server, testserver.Options{BytesPerSecond: fleetBytesPerSecond}), names...)}
	f.random = rand.New(rand.NewPCG(seed, 0))
	f.daemon.stop()
	f.bob.git(f.bob.dir, "config", "--global", "xmpp.maxPushes", "32")
	f.bob.git(f.bob.dir, "config", "--global", "receive.unpackLimit", "1")
	key := f.alice.key()
	for _, name := range names {
		f.served = append(f.served, filepath.Join(f.bob.dir, name))
		f.bob.xmpp(f.bob.dir, "peers", "set", key, "--access", "write", name)
	}
	f.serve()
	for _, name := range names {
		clone := filepath.Join(f.alice.dir, name)
		f.alice.git(f.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/"+name, clone)
		f.clones = append(f.clones, clone)
	}
	for _, clone := range append(f.clones, f.clone) {
		randomFile(t, filepath.Join(clone, "blob"), fleetBytes)
		f.alice.commit(clone, "large")
	}
	began := time.Now()
	f.alice.git(f.clone, "push", "--quiet", "origin", "main")
	f.duration = time.Since(began)
	f.alice.onlyServes(t, nil)
	f.bob.onlyServes(t, f.daemon)
	f.files = f.daemon.files(t)
	t.Logf("a push takes %v", f.duration)
	return f
}

// serve starts Bob's serve.
func (f *fleet) serve() {
	f.daemon = f.bob.serve(f.bob.dir, append([]string{f.pair.served}, f.served...)...)
}

// moment is a random one of a push.
func (f *fleet) moment() time.Duration { return time.Duration(f.random.Int64N(int64(f.duration))) }

// files counts the descriptors that a daemon has open.
func (d *daemon) files(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// clean waits until nothing of a push is left: no process, descriptor or file; the repositories are sound.
func (f *fleet) clean(t *testing.T) {
	t.Helper()
	f.alice.onlyServes(t, nil)
	f.bob.onlyServes(t, f.daemon)
	await(t, "descriptors to be closed", func() bool { return f.daemon.files(t) <= f.files })
	for _, dir := range f.served {
		if left := remains(t, dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		f.bob.git(dir, "fsck", "--strict")
	}
}

// asReported expects that a push that says that all is well has been received, and that main is nothing but what it was or is to be.
func (f *fleet) asReported(t *testing.T, i int, r result, before string) {
	t.Helper()
	got, want := f.bob.git(f.served[i], "rev-parse", "main"), f.alice.git(f.clones[i], "rev-parse", "main")
	if got != want && (r.status == 0 || got != before) {
		t.Errorf("%s: main is %s, it was %s and is to be %s: %v", f.served[i], got, before, want, r)
	}
}

// received expects that all pushes have been received.
func (f *fleet) received(t *testing.T) {
	t.Helper()
	for i := range f.served {
		f.asReported(t, i, result{}, "")
	}
}

// git push and its helper are killed at random moments of a push: the next push, begun at once, works, and nothing stays.
func TestPushKilled(t *testing.T) {
	t.Parallel() // it waits most of the time
	f := newFleet(t)
	var moments []time.Duration
	for range f.clones {
		moments = append(moments, f.moment())
	}
	var all sync.WaitGroup
	for i, clone := range f.clones {
		before := f.bob.git(f.served[i], "rev-parse", "main")
		push := f.alice.start(t, clone, "push", "origin", "main")
		all.Go(func() {
			select {
			case err := <-push.ended:
				push.ended <- err
			case <-time.After(moments[i]):
			}
			_ = syscall.Kill(-push.cmd.Process.Pid, syscall.SIGKILL) // it may just have ended
			<-push.ended
			killed := time.Now()
			f.asReported(t, i, result{status: push.cmd.ProcessState.ExitCode(), stderr: push.stderr.String()}, before)
			r := run(t, f.alice.command(clone, "git", "push", "origin", "main"))
			took := time.Since(killed)
			t.Logf("killed after %v; the next push took %v", moments[i].Round(time.Millisecond), took.Round(time.Millisecond))
			if r.status != 0 || took > nextPushWithin+2*f.duration {
				t.Errorf("the next push took %v: %v", took, r)
			}
		})
	}
	all.Wait()
	f.received(t)
	f.clean(t)
}

// serve is killed when pushes are at random moments: its children end by themselves and leave nothing, all pushes end, and the next
// ones work.
func TestServeKilled(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	var offsets []time.Duration
	for range f.clones {
		offsets = append(offsets, f.moment())
	}
	slices.Sort(offsets)
	began := time.Now()
	before := make([]string, len(f.clones))
	pushes := make([]*started, len(f.clones))
	for i, clone := range f.clones {
		before[i] = f.bob.git(f.served[i], "rev-parse", "main")
		<-time.After(time.Until(began.Add(offsets[i])))
		pushes[i] = f.alice.start(t, clone, "push", "origin", "main")
	}
	<-time.After(time.Until(began.Add(f.duration)))
	f.daemon.kill()
	killed := time.Now()
	f.bob.onlyServes(t, nil)
	t.Logf("pushes were killed after %v to %v; serve's children took %v to end", f.duration-offsets[many-1], f.duration-offsets[0], time.Since(killed))
	for _, dir := range f.served {
		if left := remains(t, dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	f.serve()
	back := time.Now()
	for i, push := range pushes {
		f.asReported(t, i, push.wait(t), before[i])
	}
	t.Logf("all pushes had ended %v after serve was back", time.Since(back))
	if took := time.Since(killed); took > lostAfter {
		t.Errorf("the pushes took %v to end", took)
	}
	var all sync.WaitGroup
	for _, clone := range f.clones {
		cmd := f.alice.command(clone, "git", "push", "origin", "main")
		all.Go(func() {
			if r := run(t, cmd); r.status != 0 {
				t.Errorf("the next push: %v", r)
			}
		})
	}
	all.Wait()
	f.received(t)
	f.clean(t)
}
