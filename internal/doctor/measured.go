package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"git-remote-xmpp/transport"
)

const (
	// measuredWithin is how long each measurement may take.
	measuredWithin = 5 * time.Second
	// slowBytes per second and less are slow.
	slowBytes = 100_000
	// slowSample is how much the advice says how long it takes.
	slowSample = 10_000_000
)

// rate measures what goes through the server.
func (s *Steps) rate(ctx context.Context, e *transport.Endpoint, cfg transport.Config) {
	const name = "rate"
	ctx, cancel := context.WithTimeout(ctx, measuredWithin)
	defer cancel()
	rate, err := e.MeasureRate(ctx)
	if err != nil {
		s.None(name, "not measured: %v", err)
		return
	}
	if rate.AtLeast {
		s.OK(name, "%s or more through the server", rateText(rate.BytesPerSecond))
		return
	}
	s.OK(name, "about %s through the server", rateText(rate.BytesPerSecond))
	switch {
	case cfg.InbandLimit > 0 && rate.BytesPerSecond < 2*cfg.InbandLimit:
		s.advise("xmpp.inbandLimit has us send no more")
	case rate.BytesPerSecond < slowBytes:
		s.advise("the server seems to limit its clients: without a direct path %d MB take %d minutes; its operator can have more let through: limits, or unlimited_jids, of Prosody's mod_limits, or the shaper of ejabberd's c2s listener",
			slowSample/1_000_000, (slowSample/max(rate.BytesPerSecond, 1)+30)/60)
	}
}

func rateText(bytesPerSecond int) string {
	switch {
	case bytesPerSecond >= 1_000_000:
		return fmt.Sprintf("%.1f MB/s", float64(bytesPerSecond)/1e6)
	case bytesPerSecond >= 10_000:
		return fmt.Sprintf("%d kB/s", bytesPerSecond/1000)
	}
	return fmt.Sprintf("%.1f kB/s", float64(bytesPerSecond)/1e3)
}

// keepers are the features of servers that keep or copy messages, and what they are called.
var keepers = []struct{ feature, name string }{
	{"urn:xmpp:carbons:2", "carbons"}, {"urn:xmpp:mam:2", "an archive"}, {"msgoffline", "offline storage"},
}

// copies looks whether what the server does with people's messages it does with ours, too.
func (s *Steps) copies(ctx context.Context, e *transport.Endpoint, cfg transport.Config) {
	const name = "copies"
	ctx, cancel := context.WithTimeout(ctx, measuredWithin)
	defer cancel()
	features, err := e.Features(ctx)
	if err != nil {
		s.None(name, "the server doesn't say what it keeps: %v", err)
		return
	}
	var has []string
	for _, k := range keepers {
		if features[k.feature] {
			has = append(has, k.name)
		}
	}
	if len(has) == 0 {
		s.OK(name, "the server names neither carbons, nor an archive, nor offline storage")
		return
	}
	evidence := fmt.Sprintf("the server has %s, which leave our messages out: headlines with the hints no-copy and no-store", strings.Join(has, ", "))
	copied, measured := false, false
	if features[keepers[0].feature] && cfg.Tokens == nil { // by a token the other login would have the same address, and end the first
		copied, measured = copiedToOther(ctx, e, cfg)
	}
	switch {
	case copied:
		s.Fail(name, errors.New("the server copies messages as ours are to other logins of the account, in spite of their type, headline, and the hint no-copy (XEP-0280)"),
			"all that is pushed and fetched goes to each chat program of the account, too: use an account of its own for git, and tell the server's operator")
	case measured:
		s.OK(name, "%s; a second login with carbons got no copy", evidence)
	default:
		s.OK(name, "%s", evidence)
	}
}

// copiedToOther logs in a second time to see whether a copy comes there.
func copiedToOther(ctx context.Context, e *transport.Endpoint, cfg transport.Config) (copied, measured bool) {
	cfg.Resource += "-copies"
	cfg.Progress, cfg.Direct = nil, nil
	if cfg.Record != nil {
		cfg.Record = unchanged{cfg.Record}
	}
	other, err := transport.Start(ctx, cfg)
	if err != nil {
		return false, false
	}
	defer other.Close()
	copied, err = e.Copied(ctx, other)
	return copied, err == nil
}
