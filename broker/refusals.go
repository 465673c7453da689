package broker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"jitney/access"
)

// quietFor is how long a refusal that was recorded is not recorded again, and
// mostRefusals bounds what is remembered of that.
const (
	quietFor     = time.Hour
	mostRefusals = 10_000
)

// A refusals remembers what was recorded, so that a program that asks every
// second does not fill the audit log.
type refusals struct {
	mu   sync.Mutex
	told map[string]time.Time
}

// first reports whether key was not recorded lately, and takes it as recorded.
func (r *refusals) first(key string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.told[key]; ok && now.Sub(at).Abs() < quietFor {
		return false
	}
	if r.told == nil || len(r.told) >= mostRefusals {
		r.told = map[string]time.Time{}
	}
	r.told[key] = now
	return true
}

// forget lets key be recorded again.
func (r *refusals) forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.told, key)
}

// record writes to log that w.who may not have the session, as err
// says; the same for the same reason at most once an hour. Whatever else err
// is, it is nothing but passed on.
func (r *refusals) record(ctx context.Context, log Log, w wanted, ask SessionAsk, err error) error {
	if access.KindOf(err) != access.Denied || w.who.ID == "" {
		return err
	}
	scope := access.AtScope(ask.Admin)
	reason := plain(err)
	key := fmt.Sprintf("%s|%s|%s|%s|%s", w.who.ID, w.customer.ID, scope, ask.From.Token, reason)
	if !r.first(key, time.Now()) {
		return err
	}
	on := w.target.Name
	if on == "" {
		on = "AWS"
	}
	e := by(w.who, access.EventSessionRefused, w.customer.ID, "", w.target.ID, fmt.Sprintf("Refused a session on %s, from %s: %s", on, viaWord(ask.From.Via), reason))
	e.Data = map[string]string{"scope": choose(ask.Admin, "admin", "tenant"), "for": ask.For}
	ask.From.tell(e.Data)
	if failed := log.Write(ctx, e); failed != nil {
		r.forget(key)
		return fmt.Errorf("%w (and recording that failed: %v)", err, failed)
	}
	return err
}

func viaWord(via string) string {
	return map[string]string{access.ViaPage: "the page", access.ViaCLI: "the command line", access.ViaToken: "an API token"}[via]
}
