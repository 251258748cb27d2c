package direct

import "time"

// A budget is how much there may be of something: so many at once, and one more each so often.
type budget struct {
	most  float64
	every time.Duration
	spent float64
	at    time.Time
}

// take spends n, unless that is too much.
func (b *budget) take(now time.Time, n float64) bool {
	b.spent, b.at = max(0, b.spent-now.Sub(b.at).Seconds()/b.every.Seconds()), now
	if b.spent+n > b.most {
		return false
	}
	b.spent += n
	return true
}
