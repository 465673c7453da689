package login

import (
	"context"
	"encoding/json"
	"time"

	"jitney/cli/keep"
)

// A pending is a sign-in that somebody has to finish in a browser. It is kept
// between calls in a private file: with the verifier goes the token.
type pending struct {
	Origin    string    `json:"origin"`
	ID        string    `json:"pairing"`
	Verifier  string    `json:"verifier"`
	State     string    `json:"state"`
	Device    bool      `json:"device"`
	Admin     bool      `json:"admin"`
	Port      int       `json:"port"`
	URL       string    `json:"url"`
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expires_at"` // by this computer's clock
	RefusedAt time.Time `json:"refused_at"` // when Cancel was seen; nothing else counts then
}

func (a *attempt) pendingFile() string { return "pairing-" + keep.Key(a.origin) + ".json" }

// load reports the sign-in that an earlier call left. One that cannot be read,
// or does not make sense, is none.
func (a *attempt) load() (p pending, ok bool) {
	data, err := a.folder.Read(a.pendingFile(), 4<<10)
	if err != nil || json.Unmarshal(data, &p) != nil || p.Origin != a.origin {
		return pending{}, false
	}
	if p.RefusedAt.IsZero() && (!p.sane() || originOf(p.URL) != a.origin || p.Verifier == "" || p.State == "" || !p.Device && p.Port <= 0) {
		return pending{}, false
	}
	return p, true
}

// goesOn reports whether p is what this call would begin: not over, good for
// what is asked, and to be finished in the way that is asked.
func (a *attempt) goesOn(p pending) bool {
	return p.RefusedAt.IsZero() && time.Now().Before(p.ExpiresAt) && (p.Admin || !a.Admin) &&
		(p.Device || !a.device()) && (a.Port == 0 || p.Port == a.Port)
}

func (a *attempt) save(p pending) error {
	p.Origin = a.origin
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return a.folder.Write(a.pendingFile(), data)
}

// refuse leaves word for the calls that wait for this one: they must not ask
// again what was just refused.
func (a *attempt) refuse(p pending) { _ = a.save(pending{RefusedAt: time.Now(), Port: p.Port}) }

// drop forgets a sign-in that is over.
func (a *attempt) drop() { _ = a.folder.Remove(a.pendingFile()) }

// lock waits until no other call signs in at this host. The system gives the
// lock back when its holder dies.
func (a *attempt) lock(ctx context.Context) (unlock func(), err error) {
	if err := a.folder.Make(); err != nil {
		return nil, err
	}
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	said := false
	for {
		unlock, taken, err := tryLock(a.folder.Path("login-" + keep.Key(a.origin) + ".lock"))
		if err != nil {
			return nil, a.folder.Failed("cannot be locked", err)
		}
		if !taken {
			return unlock, nil
		}
		p, ok := a.load()
		if ok && p.RefusedAt.IsZero() && !said && time.Since(a.began) > time.Second {
			said = true
			a.say("Another command signs in, and this one waits for it. If you do not see where: %s shows the code %s.", p.URL, p.Code)
		}
		select {
		case <-ctx.Done():
			return nil, a.stillPending(p)
		case <-every.C:
		}
	}
}
