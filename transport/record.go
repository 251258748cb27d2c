package transport

import (
	"slices"

	"mellium.im/sasl"
)

// A Record keeps from one login of an account to the next which mechanism was the strongest. Somebody in between who has a certificate for the server could
// otherwise take the strong ones out of its offer.
type Record interface {
	// Strongest is that mechanism's name; empty if none is known.
	Strongest() (string, error)
	// Raise notes a stronger one.
	Raise(mechanism string) error
	// Remedy says what the user does to have a weaker one accepted.
	Remedy() string
}

// checkRecord refuses a mechanism that is weaker than the one of an earlier login, before anything is sent for it.
func checkRecord(cfg *Config, mechanism string, offered *features) error {
	if cfg.Record == nil {
		return nil
	}
	before, err := cfg.Record.Strongest()
	if err != nil {
		return final(err)
	}
	if !weaker(mechanism, before) {
		return nil
	}
	return fail(ErrDowngrade, "log in as %s: by %s before, now the server leaves us only %s (it offers %s): somebody may be in between; no password was sent. If its operator says that this is right: %s",
		cfg.Account, before, mechanism, offered, cfg.Record.Remedy())
}

// keepRecord notes the mechanism of a login. The login counts if that fails.
func keepRecord(cfg *Config, mechanism string) {
	if cfg.Record == nil {
		return
	}
	before, err := cfg.Record.Strongest()
	if err == nil && (before == "" || weaker(before, mechanism)) {
		err = cfg.Record.Raise(mechanism)
	}
	if err != nil {
		cfg.Log.Warn("the login's mechanism isn't kept", "err", err)
	}
}

// weaker compares mechanisms by their place among ours. None is weaker than what we don't know.
func weaker(a, b string) bool {
	place := func(name string) int {
		return slices.IndexFunc(mechanisms, func(m sasl.Mechanism) bool { return m.Name == name })
	}
	return place(b) >= 0 && place(a) > place(b)
}
