package autotask

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"jitney/ticket"
	"jitney/ticket/reach"
)

// A zone is where an account lives.
type zone struct {
	client  *reach.Client
	base    string
	web     string // for people; may be empty
	name    string
	askedAt time.Time
}

// zoneWait is how long an answer about the zone is believed at least.
const zoneWait = 30 * time.Second

// where reports the zone. It is asked for once, and again when credentials
// are not accepted any more.
func (s *system) where(ctx context.Context, stale string) (zone, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.zone.client != nil && (s.zone.base != stale || time.Since(s.zone.askedAt) < zoneWait) {
		return s.zone, nil
	}
	var info struct{ ZoneName, URL, WebURL string }
	a, err := s.front.Do(ctx, reach.Call{Method: http.MethodGet, Path: "atservicesrest/v1.0/zoneInformation", Query: url.Values{"user": {s.user}}, Into: &info})
	switch {
	case err != nil && a.Status == http.StatusInternalServerError: // so it answers for a user that it does not know
		return zone{}, &ticket.Trouble{Kind: ticket.Misconfigured, Text: "Autotask does not know the username of this connection.", Err: err}
	case err != nil:
		return zone{}, err
	}
	z := zone{base: strings.TrimRight(info.URL, "/"), name: reach.Clean(info.ZoneName, 60), askedAt: time.Now()}
	if !s.ours(z.base) {
		return zone{}, &ticket.Trouble{Kind: ticket.Misconfigured, Text: "Autotask names an address outside autotask.net, which gets no credentials.", Err: fmt.Errorf("zone %.200q", info.URL)}
	}
	if web := strings.TrimRight(info.WebURL, "/"); s.ours(web) {
		z.web = web
	}
	if z.base == s.zone.base {
		s.zone.askedAt = z.askedAt
		return s.zone, nil
	}
	o := s.finder
	o.Base, o.Sign, o.InFlight = z.base, s.sign, 2 // three at a time are allowed to an integration
	if z.client, err = reach.New(o); err != nil {
		return zone{}, &ticket.Trouble{Kind: ticket.Misconfigured, Text: "Autotask names an address that cannot be used.", Err: err}
	}
	if s.zone.client != nil {
		s.zone.client.Close()
	}
	s.zone = z
	return z, nil
}

// ours reports whether an address is a zone of Autotask, or the host that the
// settings name.
func (s *system) ours(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(address) > 300 {
		return false
	}
	front, err := url.Parse(s.finder.Base)
	if err == nil && u.Scheme == front.Scheme && strings.EqualFold(u.Host, front.Host) {
		return true
	}
	return u.Scheme == "https" && u.Port() == "" && strings.HasSuffix(strings.ToLower(u.Hostname()), ".autotask.net")
}

// do makes a call. If its credentials are not accepted and the account has
// moved to another zone since, a call that reads is made again there; one that
// writes is not, but it surely had no effect.
func (s *system) do(ctx context.Context, call reach.Call) (reach.Answer, error) {
	z, err := s.where(ctx, "")
	if err != nil {
		return reach.Answer{}, err
	}
	if wait := s.budget.take(time.Now()); wait > 0 {
		return reach.Answer{}, &ticket.Trouble{Kind: ticket.Throttled, After: wait, Text: "Jitney has used up its share of the calls to Autotask for now."}
	}
	answer, err := z.client.Do(ctx, call)
	if err != nil && answer.Status == http.StatusUnauthorized {
		now, werr := s.where(ctx, z.base)
		switch {
		case werr != nil || now.base == z.base:
			return answer, err
		case call.Writes:
			return answer, &ticket.Trouble{Kind: ticket.Down, Text: "Autotask has moved this account to another zone; the call will be made again.", Err: err}
		}
		answer, err = now.client.Do(ctx, call)
	}
	if err != nil && answer.Status >= 400 && answer.Status != http.StatusUnauthorized {
		if said := words(answer.Body); len(said) > 0 {
			return answer, explain(err, said)
		}
	}
	return answer, err
}

// explain adds what the words of a refusal say to what its status says.
func explain(err error, said []string) error {
	kind := ticket.TroubleOf(err)
	better := judged(kind, said, err)
	if ticket.TroubleOf(better) == kind {
		return err
	}
	return better
}

// A budget keeps calls to a fifth of the 10,000 in an hour that all
// integrations of a database share, with a small stock for busy minutes.
type budget struct {
	mu   sync.Mutex
	used float64 // of the stock
	at   time.Time
}

const (
	hourly = 1600
	stock  = 400
)

// take takes one call, or reports how long to wait for one.
func (b *budget) take(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	const each = time.Hour / hourly
	if !b.at.IsZero() {
		b.used = max(b.used-float64(now.Sub(b.at))/float64(each), 0)
	}
	b.at = now
	if b.used+1 > stock {
		return time.Duration((b.used + 1 - stock) * float64(each))
	}
	b.used++
	return 0
}
