package client_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

const (
	uuid1 = "11111111-1111-4111-8111-111111111111"
	uuid2 = "22222222-2222-4222-8222-222222222222"
)

// threePeers are at bob's address: the last was seen last, the first serves uuid1.
func threePeers(t *testing.T) *peers.Store {
	t.Helper()
	s := peers.Open(t.TempDir())
	for n := byte(1); n <= 3; n++ {
		key := peers.Key{n}
		if err := s.Pin(t.Context(), key, "bob@localhost", peers.ResourceName([8]byte{n}), ""); err != nil {
			t.Fatal(err)
		}
		if err := s.Served(t.Context(), key, "bob@localhost", map[bool]string{true: uuid1, false: uuid2}[n == 1]); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// all asks for peers until there are no more, each of which fails so.
func all(t *testing.T, s *client.Search, failures ...error) (keys []byte, err error) {
	t.Helper()
	for n := 0; ; n++ {
		var target client.Target
		if target, err = s.Next(err); err != nil {
			return keys, err
		}
		keys = append(keys, target.Key[0])
		err = failures[n]
	}
}

var (
	errOffline = fmt.Errorf("%w: it is offline", transport.ErrNobody)
	errWithout = &protocol.Refuse{Code: protocol.CodeNoRepository}
)

func TestSearch(t *testing.T) {
	store := threePeers(t)
	for name, c := range map[string]struct {
		repository string
		failures   []error
		order      []byte
		want       error
		says       string
	}{
		"all offline":      {"proj", []error{errOffline, errOffline, errOffline}, []byte{3, 2, 1}, transport.ErrNobody, "none of the 3 peers known at bob@localhost: "},
		"known uuid":       {uuid1, []error{errWithout, errWithout, errWithout}, []byte{1, 3, 2}, protocol.CodeNoRepository, "no such repository"},
		"one is online":    {uuid2, []error{errOffline, errOffline, errWithout}, []byte{3, 2, 1}, transport.ErrNobody, "peers known at bob@localhost: 1 without such a repository, 2 not online: "},
		"another refusal":  {"proj", []error{errWithout, protocol.CodeDenied}, []byte{3, 2}, protocol.CodeDenied, ""},
		"connection lost":  {"proj", []error{transport.ErrLost}, []byte{3}, transport.ErrLost, ""},
		"the key is other": {"proj", []error{transport.ErrKeyChanged}, []byte{3}, transport.ErrKeyChanged, ""},
	} {
		s, err := client.NewSearch(store, bobsAddress, c.repository)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := all(t, s, c.failures...)
		if !slices.Equal(keys, c.order) || !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), c.says) || !s.Choice() {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
	}
}
