package schedule

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"math"
	mathrand "math/rand/v2"
	"strings"
	"time"
)

// Config are the settings of a [Loop]. A zero field means the default.
type Config struct {
	Name  string // for the log: "accounts"
	Owner string // who holds the leases; default random, and unique it must be

	Lease    time.Duration // length of a lease; default 30 s, renewed after a third of it
	Margin   time.Duration // a handler's time ends this long before the lease does; default a sixth of it
	Global   int           // handlers at once; default 256, which lets a storm share commits
	PerGroup int           // handlers of one group at once; default 8

	// Patience is how long a handler may run before it no longer counts as one
	// of Global: hung groups must not starve the others. Default 2 s. At most
	// 16 times Global handlers run all the same.
	Patience time.Duration

	MaxSleep   time.Duration // longest time without asking the table; default 500 ms
	Pace       time.Duration // shortest time between two claims that did not come back full; default 2 ms
	Linger     time.Duration // how long returns are gathered for one transaction; default 2 ms
	ProbeEvery time.Duration // between two probes of a group whose breaker is open; default 4 s
	OpenAfter  int           // failures in a row of a group that open its breaker; default 3
	StopWithin time.Duration // how long handlers may go on when the loop stops; default 10 s

	Recovery  Recovery // brings rows forward; needed for breakers and liveness
	Exclusive bool     // no other process uses the table: free every lease at the start
	Beacon    Beacon   // liveness of replicas; nil where there is one process
	Listen    Listen   // wake-ups from other processes; may be nil

	Log       *slog.Logger
	OnDone    func(Done)                    // after each call of the handler
	OnBreaker func(group string, open bool) // when a breaker opens or closes; it must not call the loop
}

// Listen calls wake whenever another process made rows due, until ctx ends or
// its connection breaks. The loop calls it again.
type Listen func(ctx context.Context, wake func()) error

// Done is one finished call of a handler.
type Done struct {
	Lease Lease
	Late  time.Duration // from the row being due to the start of the handler
	Took  time.Duration
	Err   error
}

// Stats are the counters of a loop since its start, and what it does now.
type Stats struct {
	Running  int      // handlers at work
	Held     int      // rows leased, those at work included
	Open     []string // groups whose breaker is open, sorted
	Claimed  int64
	Started  int64
	Failed   int64 // handlers that reported an error, panics included
	Panicked int64
	Lost     int64         // rows that were not ours any more when we were done
	Refused  int64         // calls of the table that failed
	Late     time.Duration // sum over Started
	MaxLate  time.Duration
}

func (c Config) withDefaults() Config {
	c.Owner = cmp.Or(c.Owner, strings.ToLower(rand.Text()))
	c.Lease = cmp.Or(c.Lease, 30*time.Second)
	c.Margin = cmp.Or(c.Margin, c.Lease/6)
	c.Global = cmp.Or(c.Global, 256)
	c.PerGroup = cmp.Or(c.PerGroup, 8)
	c.Patience = cmp.Or(c.Patience, 2*time.Second)
	c.MaxSleep = cmp.Or(c.MaxSleep, 500*time.Millisecond)
	c.Pace = cmp.Or(c.Pace, 2*time.Millisecond)
	c.Linger = cmp.Or(c.Linger, 2*time.Millisecond)
	c.ProbeEvery = cmp.Or(c.ProbeEvery, 4*time.Second)
	c.OpenAfter = cmp.Or(c.OpenAfter, 3)
	c.StopWithin = cmp.Or(c.StopWithin, 10*time.Second)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler)).With("loop", c.Name)
	return c
}

// maxBackoff is the longest pause between two tries, before it is spread.
const maxBackoff = time.Minute

// maxLater bounds the pause that an error may ask for: it comes from outside.
const maxLater = 5 * time.Minute

// Backoff is the pause after so many failures in a row: 2, 4, 8 s and so on up
// to a minute, each spread by a fifth up and down. It never ends.
func Backoff(failures int) time.Duration {
	whole := maxBackoff
	if n := max(failures, 1); n < 6 {
		whole = time.Duration(math.Exp2(float64(n))) * time.Second
	}
	return time.Duration(float64(whole) * (0.8 + 0.4*mathrand.Float64()))
}
