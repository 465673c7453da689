package entra_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/broker"
	sim "jitney/sim/entra"
)

// globalAdministrator is the role that every grant here asks for.
const globalAdministrator = sim.GlobalAdministrator

// recording compares what is about to be stored with the truth of Microsoft
// 365: nothing may be called usable that is not, or ended that is there.
func (w *world) recording(c access.Change) {
	for _, g := range c.Grants {
		old := w.grant(g.ID)
		at := w.site(g.Target)
		if old.VerifiedAt.IsZero() && !g.VerifiedAt.IsZero() {
			w.mu.Lock()
			w.usableAt = w.calls
			w.mu.Unlock()
			u, ok := truth(at, c.Account)
			if !ok || !u.Enabled || !slices.Contains(u.Roles, globalAdministrator) {
				w.fault("grant %s is called usable, and the truth is %+v (there: %v)", g.ID, u, ok)
			}
		}
		if old.EndedAt.IsZero() && !g.EndedAt.IsZero() {
			if u, ok := truth(at, c.Account); ok {
				w.fault("grant %s is called ended (%s), and the truth is %+v", g.ID, g.Cause(time.Now()), u)
			}
		}
	}
}

// truth finds the account, whatever the replicas show, in the bin too.
func truth(at site, a access.Account) (sim.User, bool) {
	for _, u := range at.tenant.Users() {
		if u.ID == a.ObjectID || a.Username != "" && strings.EqualFold(u.UPN, a.Username) {
			return u, true
		}
	}
	return sim.User{}, false
}

func (w *world) site(target string) site {
	i := slices.IndexFunc(w.sites, func(s site) bool { return s.target.ID == target })
	return w.sites[i]
}

// live lives through one grant, from request to the notes on its ticket, with
// whatever the world has in store, and judges it.
func (w *world) live(at site, minutes int64) access.Grant {
	over, stop := context.WithCancel(context.Background())
	var reviver sync.WaitGroup
	w.start()
	reviver.Go(func() { w.revive(over) })
	g := w.submit(at, minutes)
	g = w.seeOut(at, g)
	time.Sleep(6 * time.Minute) // what comes late comes now: a sweep, a second note
	stop()
	reviver.Wait()
	w.judge(at, g, access.ByExpiry)
	return g
}

// seeOut waits until a grant has ended and was told of.
func (w *world) seeOut(at site, g access.Grant) access.Grant {
	given := awaitEvery(time.Second, 2*time.Hour, func() bool { g = w.grant(g.ID); return !g.VerifiedAt.IsZero() || !g.EndedAt.IsZero() })
	if !given {
		w.fault("grant %s is never usable\n%s", g.ID, w.story(g.ID))
		return g
	}
	visit := w.enter(at, g)
	visit.watch(w, g.ID)
	ended := awaitEvery(5*time.Second, 30*time.Hour, func() bool { g = w.grant(g.ID); return !g.EndedAt.IsZero() })
	if !ended {
		w.fault("grant %s never ends: %s\n%s", g.ID, g.State(time.Now()), w.story(g.ID))
		return g
	}
	visit.over(w, g)
	if !awaitEvery(5*time.Second, 30*time.Minute, func() bool { return len(w.notes(at, g)) >= 2 }) {
		w.fault("grant %s has %d notes; want granted and ended\n%s", g.ID, len(w.notes(at, g)), w.story(g.ID))
	}
	return g
}

// A visit is what the holder of a pass does at the portal.
type visit struct {
	cloud   *sim.Cloud
	shown   broker.Shown
	session *sim.Session
}

// enter takes the pass, which is shown once, and signs in with it. A program
// that died while it was asked may have taken the pass along.
func (w *world) enter(at site, g access.Grant) *visit {
	v := &visit{cloud: w.cloud}
	if !await(time.Minute, func() bool { v.shown = w.reveal(g); return v.shown.Username != "" }) {
		w.fault("the pass of grant %s cannot be revealed\n%s", g.ID, w.story(g.ID))
		return v
	}
	if w.reveal(g).Username != "" {
		w.fault("the pass of grant %s is shown twice", g.ID)
	}
	if v.shown.Word != "Temporary Access Pass" {
		return v // with a password alone nobody gets in
	}
	var err error
	if v.session, err = v.cloud.SignIn(v.shown.Username, sim.WithPass, v.shown.Password); err != nil {
		w.fault("grant %s does not let its holder in: %v", g.ID, err)
		return v
	}
	if !awaitEvery(time.Second, 16*time.Minute, func() bool { l := v.session.Look(); return l.Ended != "" || l.Admin() }) {
		w.fault("the holder of grant %s never becomes Global Administrator", g.ID)
	}
	return v
}

// watch waits until the portal lets the holder do nothing any more, and notes
// how long after the grant's end that was.
func (v *visit) watch(w *world, id string) {
	if v.session == nil {
		return
	}
	g := w.grant(id)
	time.Sleep(time.Until(g.EndsAt()))
	awaitEvery(time.Second, 30*time.Hour, func() bool {
		g = w.grant(id)
		l := v.session.Look()
		return l.Ended != "" || !g.EndedAt.IsZero()
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.power = append(w.power, max(0, time.Since(g.EndsAt())))
}

// over demands that nothing of the visit goes on, and that none can begin.
func (v *visit) over(w *world, g access.Grant) {
	if v.session == nil {
		return
	}
	if l := v.session.Look(); l.Ended == "" {
		w.fault("grant %s has ended, and its holder is still signed in: %+v", g.ID, l)
	}
	if _, err := v.cloud.SignIn(v.shown.Username, sim.WithPass, v.shown.Password); err == nil {
		w.fault("grant %s has ended, and its pass lets one in", g.ID)
	}
}

// judge demands of a grant that is over, for that cause, all that people were
// promised.
func (w *world) judge(at site, g access.Grant, cause access.Cause) {
	if g.VerifiedAt.IsZero() || g.EndedAt.IsZero() || g.Cause(time.Now()) != cause || g.Blocked != "" {
		w.fault("grant %s: verified %v, ended %v, cause %q, blocked %q\n%s", g.ID, g.VerifiedAt, g.EndedAt, g.Cause(time.Now()), g.Blocked, w.story(g.ID))
	}
	bodies := map[string][]string{}
	for _, n := range w.notes(at, g) {
		kind := strings.Split(n.Key, ":")[2]
		bodies[kind] = append(bodies[kind], n.Body)
	}
	for _, kind := range []string{"granted", "ended"} {
		if len(bodies[kind]) != 1 {
			w.fault("grant %s has %d notes of the kind %s; want 1", g.ID, len(bodies[kind]), kind)
		}
	}
	account, err := w.store.Accounts.Case(context.WithoutCancel(w.t.Context()), g.Account)
	if err != nil {
		w.fault("account of grant %s: %v", g.ID, err)
		return
	}
	want := "The account " + account.Account.Username + " is now enabled and has been added to the Global Admin role."
	if len(bodies["granted"]) == 1 && !strings.HasPrefix(bodies["granted"][0], want) {
		w.fault("the note of grant %s does not begin with %q:\n%s", g.ID, want, bodies["granted"][0])
	}
	if len(bodies["ended"]) == 1 && (!strings.Contains(bodies["ended"][0], "revoked") || !strings.Contains(bodies["ended"][0], "removed")) {
		w.fault("the note of grant %s does not say revoked and removed:\n%s", g.ID, bodies["ended"][0])
	}
	records, err := w.store.Log.Timeline(context.WithoutCancel(w.t.Context()), g.ID)
	if err != nil {
		w.fault("timeline of grant %s: %v", g.ID, err)
	}
	counts := map[string]int{}
	for _, r := range records {
		counts[r.Kind]++
	}
	for _, kind := range []string{access.EventSubmitted, access.EventVerified, access.EventEnded} {
		if counts[kind] != 1 {
			w.fault("grant %s has %d records of kind %s; want 1\n%s", g.ID, counts[kind], kind, w.story(g.ID))
		}
	}
}

// nothingLeft demands that no Entra tenant holds an account of ours, in use or
// in the bin, nor a role that the app gave.
func (w *world) nothingLeft() {
	for _, found := range w.cloud.Invariants(time.Time{}, func(string) bool { return false }) {
		w.fault("left: %s", found)
	}
	for _, at := range w.sites {
		for _, u := range at.tenant.Users() {
			if strings.HasPrefix(u.UPN, "jit-") || !u.Deleted.IsZero() {
				w.fault("left in %s: %+v", at.tenant.Name, u)
			}
		}
	}
}

// accountsMade counts the accounts that a journal tells of. Requests to one
// Entra tenant must not overlap for that.
func (w *world) accountsMade() (n int) {
	for _, e := range w.cloud.Journal() {
		if e.Method == "POST" && e.Path == "/v1.0/users" && e.Effect {
			n++
		}
	}
	return n
}

// sent counts requests to Graph, without those for tokens.
func (w *world) sent() (n int) {
	for _, e := range w.cloud.Journal() {
		if strings.HasPrefix(e.Path, "/v1.0/") {
			n++
		}
	}
	return n
}

// listCalls tells which calls were made, and how often in a row.
func listCalls(calls []string) string {
	var b strings.Builder
	for i := 0; i < len(calls); {
		n := 1
		for i+n < len(calls) && calls[i+n] == calls[i] {
			n++
		}
		fmt.Fprintf(&b, "\n  %3d %s", i+1, calls[i])
		if n > 1 {
			fmt.Fprintf(&b, " ×%d", n)
		}
		i += n
	}
	return b.String()
}
