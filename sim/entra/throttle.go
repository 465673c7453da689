package entra

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Quota is an amount that comes back evenly over a span of time.
type Quota struct {
	Amount float64
	Per    time.Duration
}

// Quotas are what callers may ask for. Units are Microsoft's resource units.
type Quotas struct {
	// Small, Medium and Large are units for one app in one tenant of that size.
	Small, Medium, Large Quota
	Writes               Quota // for one app in one tenant
	App, AppWrites       Quota // for one app over all tenants
	TenantWrites         Quota // for one tenant over all apps
	Logs                 Quota // requests to audit and sign-in logs, for one app in one tenant
	Access               Quota // requests to conditional access, for one tenant; without Retry-After
}

// DocumentedQuotas are Microsoft's.
func DocumentedQuotas() Quotas {
	return Quotas{
		Small: Quota{3500, 10 * time.Second}, Medium: Quota{5000, 10 * time.Second}, Large: Quota{8000, 10 * time.Second},
		Writes: Quota{3000, 150 * time.Second}, App: Quota{150_000, 20 * time.Second}, AppWrites: Quota{70_000, 5 * time.Minute},
		TenantWrites: Quota{18_000, 5 * time.Minute}, Logs: Quota{5, 10 * time.Second}, Access: Quota{1, time.Second},
	}
}

// Scaled are the quotas times f, for tests that want to meet them soon.
func (q Quotas) Scaled(f float64) Quotas {
	for _, one := range []*Quota{&q.Small, &q.Medium, &q.Large, &q.Writes, &q.App, &q.AppWrites, &q.TenantWrites, &q.Logs, &q.Access} {
		one.Amount = max(1, one.Amount*f)
	}
	return q
}

type bucket struct {
	left float64
	at   time.Time
}

type quotas struct {
	limits  Quotas
	mu      sync.Mutex
	buckets map[string]*bucket
}

// charge is one quota that a request draws on.
type charge struct {
	key, scope string
	quota      Quota
	units      float64
	silent     bool // no Retry-After
}

// charges are the quotas that a request draws on.
func (q *quotas) charges(x *exchange, op operation) []charge {
	app, tenant := x.who.app, x.tenant.ID
	size := []Quota{q.limits.Small, q.limits.Medium, q.limits.Large}[x.tenant.size]
	cost := float64(max(1, op.cost))
	if strings.Contains(x.req.URL.RawQuery, "select=") {
		cost = max(1, cost-1)
	}
	scope := "Tenant_Application/ReadWrite/" + app + "/" + tenant
	out := []charge{{"u" + app + tenant, scope, size, cost, false}, {"a" + app, "Application/ReadWrite/" + app, q.limits.App, cost, false}}
	if x.req.Method != http.MethodGet {
		out = append(out, charge{"w" + app + tenant, scope, q.limits.Writes, 1, false}, charge{"x" + app, "Application/Write/" + app, q.limits.AppWrites, 1, false},
			charge{"t" + tenant, "Tenant/Write/" + tenant, q.limits.TenantWrites, 1, false})
	}
	switch {
	case strings.HasPrefix(op.path, "/auditLogs/"):
		out = append(out, charge{"l" + app + tenant, scope, q.limits.Logs, 1, false})
	case strings.HasPrefix(op.path, "/identity/conditionalAccess/"):
		out = append(out, charge{"c" + tenant, scope, q.limits.Access, 1, true})
	}
	return out
}

// take draws on every quota that a request is under, or on none and refuses it.
func (q *quotas) take(x *exchange, op operation) error {
	if !x.cloud.opt.Throttle {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	charges := q.charges(x, op)
	for _, c := range charges {
		if b := q.refilled(c, x.now); b.left < c.units {
			return c.refusal(b)
		}
	}
	for _, c := range charges {
		q.buckets[c.key].left -= c.units
	}
	return nil
}

func (q *quotas) refilled(c charge, now time.Time) *bucket {
	if q.buckets == nil {
		q.buckets = map[string]*bucket{}
	}
	b := q.buckets[c.key]
	if b == nil {
		b = &bucket{left: c.quota.Amount, at: now}
		q.buckets[c.key] = b
	}
	back := c.quota.Amount * now.Sub(b.at).Seconds() / c.quota.Per.Seconds()
	b.left, b.at = min(c.quota.Amount, b.left+max(0, back)), now
	return b
}

// refusal is the 429. Its Retry-After is when a tenth of the quota is back.
func (c charge) refusal(b *bucket) error {
	f := fail(http.StatusTooManyRequests, "TooManyRequests", "Request is throttled. Too many requests.")
	f.Header = http.Header{}
	wait := (max(c.units, c.quota.Amount/10) - b.left) * c.quota.Per.Seconds() / c.quota.Amount
	if !c.silent {
		f.Header.Set("Retry-After", strconv.Itoa(int(max(1, math.Ceil(wait)))))
	}
	f.Header.Set("x-ms-throttle-limit-percentage", fmt.Sprintf("%.1f", 1.0))
	f.Header.Set("x-ms-throttle-scope", c.scope)
	f.Header.Set("x-ms-throttle-information", "ResourceUnitLimitExceeded")
	return f
}

func quotaExceeded() *failure {
	return fail(http.StatusForbidden, "Directory_QuotaExceeded", "The directory object quota limit for the Tenant has been exceeded. Please ask your administrator to increase the quota limit or delete objects to reduce the used quota.")
}
