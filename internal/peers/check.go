package peers

import (
	"fmt"
	"slices"
)

// check refuses a file that this program would not have written.
func (l *peerList) Check() error {
	keys := map[Key]bool{}
	for _, p := range l.Peers {
		if keys[p.Key] {
			return fmt.Errorf("the key %s is there twice", p.Key)
		}
		keys[p.Key] = true
		if err := p.check(); err != nil {
			return fmt.Errorf("peer %s: %w", p.Key, err)
		}
		if err := checkVouches(p.Vouches); err != nil {
			return fmt.Errorf("peer %s: %w", p.Key, err)
		}
	}
	return nil
}

func (p *Peer) check() error {
	if err := checkLabel(p.Label); err != nil {
		return err
	}
	for _, a := range slices.Concat(p.Addresses, p.PinnedAddresses) {
		if err := checkAddress(a); err != nil {
			return err
		}
	}
	for id := range p.Grants {
		if c, err := canonicalUUID(id); err != nil || c != id {
			return ErrBadUUID
		}
	}
	if err := p.checkLimits(); err != nil {
		return err
	}
	for _, c := range p.Clones {
		for _, id := range []string{c.Client, c.Repository} {
			if canonical, err := canonicalUUID(id); err != nil || canonical != id {
				return ErrBadUUID
			}
		}
	}
	for _, id := range slices.Concat(p.UUIDs, p.Serves) {
		if c, err := canonicalUUID(id); err != nil || c != id {
			return ErrBadUUID
		}
	}
	if p.Resource != "" {
		_, err := ResourceID(p.Resource)
		return err
	}
	return nil
}
