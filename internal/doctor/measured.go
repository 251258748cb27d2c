package doctor

import (
	"context"
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

const (
	carbons = "urn:xmpp:carbons:2"
	archive = "urn:xmpp:mam:2"
)

// keepers are the features of servers that keep or copy messages, and what they are called.
var keepers = []struct{ feature, name string }{
	{carbons, "carbons"}, {archive, "an archive"}, {"msgoffline", "offline storage"},
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
	var tried, kept []string
	if copied, measured := copiedToOther(ctx, e, cfg, features); copied {
		kept = append(kept, "copied to other logins of the account (XEP-0280)")
	} else if measured {
		tried = append(tried, "a second login with carbons got no copy")
	}
	if features[archive] {
		if archived, err := e.Archived(ctx); archived {
			kept = append(kept, "kept in the archive (XEP-0313)")
		} else if err == nil {
			tried = append(tried, "the archive has none")
		}
	}
	if len(kept) > 0 {
		s.Fail(name, fmt.Errorf("messages as ours are %s, in spite of their type, headline, and the hints no-copy and no-store", strings.Join(kept, ", and ")),
			"all that is pushed and fetched goes there, too: use an account of its own for git, and tell the server's operator")
		return
	}
	s.OK(name, "%s", strings.Join(append([]string{"the server has " + strings.Join(has, ", ") +
		", which leave our messages out: headlines with the hints no-copy and no-store"}, tried...), "; "))
}

// copiedToOther logs in a second time to see whether a copy comes there. By a token that login would have the same address, and end the first.
func copiedToOther(ctx context.Context, e *transport.Endpoint, cfg transport.Config, features map[string]bool) (copied, measured bool) {
	if !features[carbons] || cfg.Tokens != nil {
		return false, false
	}
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
