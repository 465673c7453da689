package broker_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
)

func TestTheHolderEndsEarly(t *testing.T) {
	w := newWorld(t)
	g := w.active()
	_, err := w.Access.End(t.Context(), w.maya, g.ID)
	check(t, err)
	w.want(g.ID, access.Ending)
	w.settle()
	if g = w.want(g.ID, access.Ended); g.Cause(time.Now()) != access.ByHolder || len(w.realm.Usable(g.Account)) > 0 {
		t.Errorf("cause %q, usable %v", g.Cause(time.Now()), w.realm.Usable(g.Account))
	}
	if _, err := w.Access.End(t.Context(), w.maya, g.ID); err != nil {
		t.Errorf("ending what is over: %v", err)
	}
	if n := w.events(g.ID, access.EventStopped); n != 1 {
		t.Errorf("%d records of the end", n)
	}
}

func TestRevoking(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ask := func() (mine, again, noors, theirs access.Grant) {
		mine, again, noors = w.submit(w.maya, w.ask()), w.submit(w.maya, w.ask()), w.submit(w.noor, w.ask())
		theirs = w.submit(w.outsider, broker.Submission{Customer: "kestrel", Target: "target-kestrel", Entitlement: "admin", Ticket: "open-kestrel", Minutes: 5, Reason: "Patching the servers."})
		w.settle()
		return mine, again, noors, theirs
	}
	revoke := func(s broker.Scope, want int) {
		t.Helper()
		if n, err := w.Access.Revoke(ctx, w.admin, s, "Incident 4711."); err != nil || n != want {
			t.Errorf("%+v: revoked %d (%v), want %d", s, n, err, want)
		}
		w.settle()
	}
	for _, s := range []broker.Scope{{}, {Grant: "a", Person: "b"}, {Person: "a", Everything: true}} {
		if _, err := w.Access.Revoke(ctx, w.admin, s, "Incident."); err == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
	if _, err := w.Access.Revoke(ctx, w.admin, broker.Scope{Person: "nonesuch"}, "Incident."); access.KindOf(err) != access.NotFound {
		t.Errorf("a person that is not there: %v", err)
	}

	mine, _, _, _ := ask()
	revoke(broker.Scope{Grant: mine.ID}, 1)
	revoke(broker.Scope{Grant: mine.ID}, 0)
	revoke(broker.Scope{Person: "maya"}, 1)
	revoke(broker.Scope{Customer: "aviary"}, 1)
	revoke(broker.Scope{Everything: true}, 1)
	ask()
	w.change(func(p *access.Policy) { p.NeedsApproval = true })
	pending := w.submit(w.noor, w.ask())
	revoke(broker.Scope{Everything: true}, 5)
	if g := w.want(pending.ID, access.NotGiven); g.Cause(time.Now()) != access.ByRevoking || g.StopReason != "Incident 4711." {
		t.Errorf("grant = %+v", g)
	}
	for _, mark := range w.realm.Marks() {
		if usable := w.realm.Usable(mark); len(usable) > 0 {
			t.Errorf("%s still has %v", mark, usable)
		}
	}
}

func TestApproval(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.change(func(p *access.Policy) { p.NeedsApproval = true })
	g := w.submit(w.maya, w.ask())
	w.settle()
	w.want(g.ID, access.Pending)
	if len(w.realm.Marks()) > 0 {
		t.Fatal("an account was made before approval")
	}

	t.Run("many approvals at once are one", func(t *testing.T) {
		var won atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				switch _, err := w.Access.Approve(ctx, w.approver, g.ID, "Fine."); {
				case err == nil:
					won.Add(1)
				case access.KindOf(err) != access.Conflict:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || w.events(g.ID, access.EventApproved) != 1 {
			t.Errorf("%d approvals, %d records", won.Load(), w.events(g.ID, access.EventApproved))
		}
		w.settle()
		w.want(g.ID, access.Active)
	})
	t.Run("nobody decides about their own", func(t *testing.T) {
		own := w.submit(w.approver, w.ask())
		for _, decide := range []func() error{
			func() error { _, err := w.Access.Approve(ctx, w.approver, own.ID, ""); return err },
			func() error { _, err := w.Access.Deny(ctx, w.approver, own.ID, "No."); return err },
		} {
			if err := decide(); access.KindOf(err) != access.Denied {
				t.Errorf("error = %v", err)
			}
		}
		w.want(own.ID, access.Pending)
		_, err := w.Access.End(ctx, w.approver, own.ID)
		check(t, err)
		w.settle()
		if g := w.want(own.ID, access.NotGiven); g.Cause(time.Now()) != access.ByWithdrawal {
			t.Errorf("cause = %q", g.Cause(time.Now()))
		}
		if _, err := w.Access.Approve(ctx, w.approver, own.ID, ""); err == nil {
			t.Error("what was withdrawn can be approved")
		}
	})
	t.Run("a denial needs a comment and is final", func(t *testing.T) {
		g := w.submit(w.noor, w.ask())
		if _, err := w.Access.Deny(ctx, w.approver, g.ID, " "); access.KindOf(err) != access.Invalid {
			t.Errorf("error = %v", err)
		}
		_, err := w.Access.Deny(ctx, w.approver, g.ID, "Use the other ticket.")
		check(t, err)
		if _, err := w.Access.Approve(ctx, w.approver, g.ID, ""); access.KindOf(err) != access.Conflict {
			t.Errorf("error = %v", err)
		}
		w.settle()
		w.want(g.ID, access.NotGiven)
	})
}

func TestTheGrantPageShowsTheWholeStory(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	g := w.active()
	p, err := w.Access.Grant(ctx, w.maya, g.ID)
	check(t, err)
	if p.State != access.Active || p.Requester != "Person maya" || p.Customer != "Customer aviary" || p.Entitlement != "Administrator" || p.Account.Username != "maya@t.example" {
		t.Errorf("page = %+v", p.GrantRow)
	}
	if len(p.Rows) < 2 || !p.Rows[0].OK || p.Rows[0].Found != "enabled" || p.Rows[0].AtEnd != "disabled" {
		t.Errorf("rows = %+v", p.Rows)
	}
	if len(p.Next) == 0 || !p.Next[0].At.Equal(p.Grant.ExpiresAt()) || p.Password != broker.PasswordReady {
		t.Errorf("next = %+v, password %q", p.Next, p.Password)
	}
	if want := (broker.Rights{End: true, Extend: true, Reveal: true, NewPassword: true}); p.May != want {
		t.Errorf("rights = %+v, want %+v", p.May, want)
	}
	if len(p.Notes) != 1 || p.Notes[0].Kind != "granted" || p.Notes[0].State != broker.NoteWaits ||
		!strings.HasPrefix(p.Notes[0].Body, "The practice account maya@t.example is now enabled\n") {
		t.Errorf("notes = %+v", p.Notes)
	}
	if len(p.Timeline) < 3 || p.Timeline[0].Kind != access.EventSubmitted || p.Timeline[0].Actor != "Person maya" || p.Timeline[1].Actor != "Jitney" {
		t.Errorf("timeline = %+v", p.Timeline)
	}
	if p.ExtendUpTo != w.policy.Max-15*time.Minute || len(p.Offered) == 0 {
		t.Errorf("extend up to %s: %v", p.ExtendUpTo, p.Offered)
	}
	before := p.Version
	if p, _ = w.Access.Grant(ctx, w.maya, g.ID); p.Version != before {
		t.Error("the version changes by itself")
	}
	_, err = w.Access.Extend(ctx, w.maya, g.ID, 15)
	check(t, err)
	if p, _ = w.Access.Grant(ctx, w.maya, g.ID); p.Version == before {
		t.Error("the version does not change with the grant")
	}
	as, err := w.Access.Grant(ctx, w.admin, g.ID)
	check(t, err)
	if want := (broker.Rights{Revoke: true, Reissue: true}); as.May != want {
		t.Errorf("rights of an administrator = %+v, want %+v", as.May, want)
	}
	for _, who := range []access.Person{w.noor, w.auditor} {
		p, err := w.Access.Grant(ctx, who, g.ID)
		if check(t, err); p.May != (broker.Rights{}) {
			t.Errorf("%s: rights = %+v", who.ID, p.May)
		}
	}
}

func TestCSVRunsNoFormula(t *testing.T) {
	w := newWorld(t)
	s := w.ask()
	s.Reason = `=HYPERLINK("http://evil.example","click") please`
	w.submit(w.maya, s)
	var rows [][]string
	check(t, w.Access.CSV(t.Context(), w.admin, access.GrantQuery{}, func(cells []string) error { rows = append(rows, cells); return nil }))
	if len(rows) != 2 || len(rows[0]) != len(rows[1]) || !slices.Contains(rows[1], "'"+s.Reason) {
		t.Errorf("rows = %q", rows)
	}
}

func TestListsGoPageByPage(t *testing.T) {
	w := newWorld(t)
	var want []string
	for range 7 {
		want = append(want, w.submit(w.maya, w.ask()).ID)
	}
	var got []string
	q := access.GrantQuery{Limit: 3, Oldest: true}
	for {
		list, err := w.Access.List(t.Context(), w.admin, q)
		check(t, err)
		for _, r := range list.Rows {
			got = append(got, r.Grant.ID)
		}
		if q.After = list.Next; q.After == "" {
			break
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	open, past, err := w.Access.Mine(t.Context(), w.maya)
	if err != nil || len(open) != 7 || len(past) != 0 {
		t.Errorf("%d open, %d past, %v", len(open), len(past), err)
	}
}

func TestPulseFollowsThePage(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	g := w.active()
	same := func(what string) string {
		t.Helper()
		mark, err := w.Access.Pulse(ctx, w.maya, g.ID)
		check(t, err)
		p, err := w.Access.Grant(ctx, w.maya, g.ID)
		check(t, err)
		if p.Version != mark {
			t.Errorf("%s: the pulse is %q, the page says %q", what, mark, p.Version)
		}
		if p.Requester != w.maya.Name || p.Customer == g.Customer || p.Target == g.Target {
			t.Errorf("%s: names are %q, %q, %q", what, p.Requester, p.Customer, p.Target)
		}
		return mark
	}
	before := same("active")
	if same("still active") != before {
		t.Error("it changes although nothing happened")
	}
	_, err := w.Access.Reveal(ctx, w.maya, g.ID)
	check(t, err)
	shown := same("revealed")
	_, err = w.Access.End(ctx, w.maya, g.ID)
	check(t, err)
	if ending := same("ending"); shown == before || ending == shown {
		t.Error("it does not change when something happened")
	}
	if _, err := w.Access.Pulse(ctx, w.outsider, g.ID); access.KindOf(err) != access.NotFound {
		t.Errorf("a stranger feels the pulse: %v", err)
	}
	bar, err := w.Access.Bar(ctx, w.maya)
	check(t, err)
	if bar != (broker.Bar{Held: 1}) {
		t.Errorf("the bar is %+v", bar)
	}
}
