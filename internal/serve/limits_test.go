package serve

import (
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/internal/peers"
)

func TestShares(t *testing.T) {
	var s shares[peers.Key]
	a, b := peers.Key{1}, peers.Key{2}
	var releases []func()
	for range 3 {
		release, ok := s.take(a, 3, 5)
		if !ok {
			t.Fatal("refused")
		}
		releases = append(releases, release)
	}
	if _, ok := s.take(a, 3, 5); ok {
		t.Error("one too many")
	}
	if _, ok := s.take(b, 3, 5); !ok {
		t.Error("the other key is refused")
	}
	releases[0]()
	if _, ok := s.take(a, 3, 5); !ok {
		t.Error("refused after one was given back")
	}
	if _, ok := s.take(b, 3, 5); !ok {
		t.Error("the other key is refused before all are taken")
	}
	if _, ok := s.take(b, 3, 5); ok {
		t.Error("one too many of all")
	}
}

func TestIdleTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle := make(chan time.Time, 1)
		began := time.Now()
		i := newIdleTimer(time.Minute, func() { idle <- time.Now() })
		time.Sleep(30 * time.Second)
		i.begin()
		i.begin()
		time.Sleep(time.Hour)
		i.end()
		time.Sleep(time.Hour)
		i.end()
		if got, want := (<-idle).Sub(began), 2*time.Hour+90*time.Second; got != want {
			t.Errorf("idle after %v, want %v", got, want)
		}
		i.stop()
	})
}
