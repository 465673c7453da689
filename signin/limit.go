package signin

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits slow down guessing. Nobody is ever locked out for good: every bucket
// fills up again by itself, and who signed in from an address before does not
// wait for what others do to their account from elsewhere.
type limits struct {
	address *buckets // all tries from one address
	pair    *buckets // tries of one account from one address
	account *buckets // tries of one account from anywhere
	trouble *buckets // records of failures on one account

	mu    sync.Mutex
	known map[string]time.Time // account and address that belong together
}

const (
	maxBuckets = 20_000
	maxKnown   = 20_000
	knownFor   = 30 * 24 * time.Hour
)

func newLimits() *limits {
	return &limits{
		address: newBuckets(2*time.Second, 30),
		pair:    newBuckets(15*time.Second, 6),
		account: newBuckets(5*time.Second, 30),
		trouble: newBuckets(time.Minute, 5),
		known:   map[string]time.Time{},
	}
}

// allow reports whether another try may be made.
func (l *limits) allow(account, address string) bool {
	if !l.address.take(address) || !l.pair.take(account+" "+address) {
		return false
	}
	l.mu.Lock()
	at, known := l.known[account+" "+address]
	l.mu.Unlock()
	if known && time.Since(at) < knownFor {
		return true
	}
	return l.account.take(account)
}

// welcome remembers that account belongs at address.
func (l *limits) welcome(account, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.known {
		if len(l.known) < maxKnown {
			break
		}
		delete(l.known, key)
	}
	l.known[account+" "+address] = time.Now()
	l.pair.forget(account + " " + address)
}

// buckets is a token bucket for each key, for so many keys at most.
type buckets struct {
	every time.Duration
	burst int

	mu  sync.Mutex
	all map[string]*rate.Limiter
}

func newBuckets(every time.Duration, burst int) *buckets {
	return &buckets{every: every, burst: burst, all: map[string]*rate.Limiter{}}
}

func (b *buckets) take(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.all[key]
	if !ok {
		b.makeRoom()
		l = rate.NewLimiter(rate.Every(b.every), b.burst)
		b.all[key] = l
	}
	return l.Allow()
}

func (b *buckets) forget(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, key)
}

// makeRoom drops the buckets that are full again, and if that is not enough
// any, a few at a time.
func (b *buckets) makeRoom() {
	if len(b.all) < maxBuckets {
		return
	}
	for key, l := range b.all {
		if l.Tokens() >= float64(b.burst) {
			delete(b.all, key)
		}
	}
	for key := range b.all {
		if len(b.all) < maxBuckets*9/10 {
			return
		}
		delete(b.all, key)
	}
}

// network is what counts as one address: an IPv6 customer has a whole /64.
func network(address string) string { return block(address, 64) }

// site is what one customer of a provider may have at most: of IPv6 a /48,
// which holds 65,536 networks.
func site(address string) string { return block(address, 48) }

func block(address string, bits int) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap(); ip.Is6() {
		if p, err := ip.WithZone("").Prefix(bits); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
