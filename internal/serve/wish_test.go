package serve

import "testing"

// How much goes in all is known of a clone, in whatever pieces it is asked for, and of nothing else.
func TestWish(t *testing.T) {
	const size, list, want = 12345, "0014command=ls-refs\n0000", "0011command=fetch0001000fno-progress0032want 11\n"
	for said, known := range map[string]uint64{
		list:                              0,
		list + want + "0009done\n0000":    size,
		list + want + "0032have 22\n0000": 0,
		list + want + "000cdeepen 10000":  0,
	} {
		for cut := range len(said) {
			var w wish
			w.see([]byte("0032want 11\n")) // of a service that offers nothing
			w.offer(size)
			w.see([]byte(said[:cut]))
			w.see([]byte(said[cut:]))
			if got := w.size(); got != known {
				t.Errorf("%q, cut at %d: %d, want %d", said, cut, got, known)
			}
		}
	}
}
