package reconcile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/reconcile"
	"jitney/target/fake"
	"jitney/ticket"
)

// typed asks for access by a number that the ticket system, which is down,
// cannot check.
func (w *world) typed(number string, minutes int64) access.Grant {
	w.t.Helper()
	g, err := w.broker().Access.Submit(w.t.Context(), w.people[0], broker.Submission{Customer: w.customer.ID, Target: "t1", Entitlement: fake.Admin,
		Number: number, Minutes: minutes, Reason: "The ticket system is down."})
	check(w.t, err)
	w.until(g.ID, access.Active, time.Minute)
	return g
}

func TestATypedNumberIsVerifiedAlsoAfterTheEnd(t *testing.T) {
	tests := []struct {
		name, number string
		early        bool
		notes        []string
	}{
		{"when its time was reached", "n-1001", false, []string{"granted", "ended", "ticket"}},
		{"when it was ended early", "n-1001", true, []string{"granted", "ended", "ticket"}},
		{"and there is none", "n-9", false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
				w.ruled(access.TicketRules{Unverified: true})
				w.paper.down(time.Hour)
				g := w.typed(tt.number, 30)
				if tt.early {
					check(t, func() error { _, err := w.broker().Access.End(t.Context(), w.people[0], g.ID); return err }())
				}
				w.until(g.ID, access.Ended, 40*time.Minute)
				time.Sleep(2 * time.Hour)
				stored, err := w.store.Grants.Grant(t.Context(), g.ID)
				check(t, err)
				if stored.Ticket.Unverified || stored.StopCause == access.ByTicket {
					t.Errorf("%+v: cause %q\n%s", stored.Ticket, stored.StopCause, w.story(g.ID))
				}
				var kinds []string
				for _, key := range w.paper.keys("1001") {
					kinds = append(kinds, strings.Split(key, ":")[2])
				}
				if !slices.Equal(kinds, tt.notes) {
					t.Errorf("notes %q, want %q\n%s", kinds, tt.notes, w.story(g.ID))
				}
			})
		})
	}
}

func TestATicketThatVanishesForAMinuteEndsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		w.ruled(access.TicketRules{EndOnClose: true})
		g := w.activate(fake.Admin, 60)
		w.paper.remove("1001")
		awaitEvery(time.Second, 4*time.Minute, w.paper.missed)
		time.Sleep(time.Minute)
		w.paper.open("1001", w.customer.ID)
		time.Sleep(10 * time.Minute)
		if s := w.state(g.ID); s != access.Active {
			t.Errorf("it is %s\n%s", s, w.story(g.ID))
		}
	})
}

func TestAReasonCannotPassForANote(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		first := w.activate(fake.Admin, 30)
		_, err := w.broker().Access.Submit(t.Context(), w.people[1], broker.Submission{Customer: w.customer.ID, Target: "t2", Entitlement: fake.Admin,
			Ticket: "1001", Minutes: 30, Reason: "As in jitney:" + first.ID + ":ended:1"})
		check(t, err)
		w.until(first.ID, access.Ended, 40*time.Minute)
		time.Sleep(10 * time.Minute)
		if keys := w.paper.keys("1001"); !slices.Contains(keys, "jitney:"+first.ID+":ended:1") {
			t.Errorf("the note of the end was never written: %q", keys)
		}
	})
}

func TestTheStatusOfAnotherTicketStays(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		w.ruled(access.TicketRules{EndOnClose: true, Status: "Resolved"})
		g := w.activate(fake.Admin, 15)
		w.paper.set("1001", func(t *ticket.Ticket) { t.MergedInto = "1002" })
		w.until(g.ID, access.Ended, 30*time.Minute)
		time.Sleep(10 * time.Minute)
		if w.paper.moved("1001") {
			t.Errorf("the ticket that it was merged into got another status\n%s", w.story(g.ID))
		}
	})
}

// TestAListedTicketIsVerifiedByItsCompanyToo has a ticket that was chosen from
// an old list, and whose company is another one when its system answers.
func TestAListedTicketIsVerifiedByItsCompanyToo(t *testing.T) {
	for company, ends := range map[string]bool{"pedroaviary": false, "other": true} {
		t.Run(company, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
				w.ruled(access.TicketRules{Unverified: true})
				g := w.activate(fake.Admin, 60)
				w.paper.set("1001", func(t *ticket.Ticket) { t.Company = company })
				ref := g.Ticket
				ref.Unverified = true
				check(t, w.store.Tickets.SetTicket(t.Context(), g.ID, ref, nil))
				time.Sleep(10 * time.Minute)
				stored, err := w.store.Grants.Grant(t.Context(), g.ID)
				check(t, err)
				if stored.Ticket.Unverified || (stored.StopCause == access.ByTicket) != ends {
					t.Errorf("%+v, stopped by %q\n%s", stored.Ticket, stored.StopCause, w.story(g.ID))
				}
			})
		})
	}
}

// TestNothingIsDoneToATicketOfSomebodyElse moves the ticket to another company
// while access hangs on it that its closing does not end. When it is back, what
// was parked can be written.
func TestNothingIsDoneToATicketOfSomebodyElse(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		w.ruled(access.TicketRules{Status: "Resolved", TimeEntry: true})
		g := w.activate(fake.Admin, 15)
		w.paper.set("1001", func(t *ticket.Ticket) { t.Company = "other" })
		w.until(g.ID, access.Ended, 30*time.Minute)
		time.Sleep(10 * time.Minute)
		work, err := w.store.Outbox.WorkOf(t.Context(), g.ID)
		check(t, err)
		for _, one := range work {
			if one.Key != "jitney:"+g.ID+":granted:1" && (!strings.Contains(one.Result, "another company") || one.ParkedAt.IsZero() != (one.Kind == reconcile.WorkStatus)) {
				t.Errorf("%s: %q, parked %v", one.Key, one.Result, one.ParkedAt)
			}
		}
		if keys := w.paper.keys("1001"); w.paper.moved("1001") || !slices.Equal(keys, []string{"jitney:" + g.ID + ":granted:1"}) {
			t.Errorf("something was written to it, or it got another status: %q", keys)
		}
		w.paper.set("1001", func(t *ticket.Ticket) { t.Company = w.customer.ID })
		w.retryParked()
		time.Sleep(time.Minute)
		if keys := w.paper.keys("1001"); len(keys) != 3 || keys[1] != "jitney:"+g.ID+":ended:1" {
			t.Errorf("when it is back it has %q", keys)
		}
	})
}

// TestARefusalIsNotToldToSomebodyElse moves the ticket before access is given.
func TestARefusalIsNotToldToSomebodyElse(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		w.realms["t1"].DownBetween(time.Now(), time.Now().Add(time.Minute))
		g, err := w.submit(w.people[0], "t1", fake.Admin, "1001", 30)
		check(t, err)
		w.paper.set("1001", func(t *ticket.Ticket) { t.Company = "other" })
		w.until(g.ID, access.NotGiven, 5*time.Minute)
		time.Sleep(time.Minute)
		if keys := w.paper.keys("1001"); len(keys) != 0 {
			t.Errorf("it was told %q\n%s", keys, w.story(g.ID))
		}
		if parked, err := w.store.Outbox.Parked(t.Context(), "paper", 10); err != nil || len(parked) != 1 || !strings.Contains(parked[0].Result, "another company") {
			t.Errorf("parked: %+v, %v", parked, err)
		}
	})
}

// retryParked starts all parked notes again.
func (w *world) retryParked() {
	parked, err := w.store.Outbox.Parked(w.t.Context(), "paper", 100)
	for _, one := range parked {
		if again := w.store.Outbox.Retry(w.t.Context(), one.ID); access.KindOf(again) != access.Conflict { // else another one was first
			err = errors.Join(err, again)
		}
	}
	if err != nil {
		w.t.Errorf("retry parked notes: %v", err)
	}
}

// moved reports whether somebody set the status of a ticket.
func (p *paper) moved(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tickets[id].Status != ""
}

func TestOneTicketOfTwoCustomersEndsOnlyTheAccessOfOne(t *testing.T) {
	for range 4 { // in whichever order the grants come
		inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
			ctx := t.Context()
			w.ruled(access.TicketRules{EndOnClose: true})
			_, err := w.store.Customers.SaveCustomer(ctx, access.Customer{ID: "kestrel", Name: "Kestrel", CreatedAt: time.Now()})
			check(t, err)
			other := w.targets[1] // of another customer from now on
			other.ID, other.Customer = "t4", "kestrel"
			other.Version = 0
			w.realms["t4"] = fake.NewRealm()
			_, err = w.store.Targets.SaveTarget(ctx, other, nil)
			check(t, err)
			noor := w.people[1]
			noor.Customers = append(noor.Customers, "kestrel")
			noor, err = w.store.People.SavePerson(ctx, noor)
			check(t, err)
			first := w.activate(fake.Admin, 60)
			w.paper.set("1001", func(t *ticket.Ticket) { t.Company = "kestrel" })
			second, err := w.broker().Access.Submit(ctx, noor, broker.Submission{Customer: "kestrel", Target: "t4", Entitlement: fake.Admin, Ticket: "1001", Minutes: 60, Reason: "It is theirs."})
			check(t, err)
			time.Sleep(10 * time.Minute)
			if s := w.state(second.ID); s != access.Active {
				t.Errorf("that of the customer whose ticket it is is %s\n%s", s, w.story(second.ID))
			}
			if g := w.grant(first.ID); g.StopCause != access.ByTicket {
				t.Errorf("that of the other customer is %s\n%s", w.state(first.ID), w.story(first.ID))
			}
		})
	}
}

func TestATicketThatCannotBeReadHidesNoOther(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		w.ruled(access.TicketRules{EndOnClose: true})
		g := w.activate(fake.Admin, 60)
		other, err := w.submit(w.people[1], "t2", fake.Admin, "1002", 60)
		check(t, err)
		w.until(other.ID, access.Active, time.Minute)
		w.paper.mu.Lock()
		w.paper.odd = "1002"
		w.paper.mu.Unlock()
		w.paper.setOpen("1001", false)
		w.until(g.ID, access.Ended, 5*time.Minute)
		if s := w.state(other.ID); s != access.Active {
			t.Errorf("the other is %s", s)
		}
	})
}

func TestTheTicketIsCheckedAgainBeforeAccessIsGiven(t *testing.T) {
	tests := []struct {
		name, why string
		act       func(*ticket.Ticket)
	}{
		{"it was closed", "the ticket is closed", func(t *ticket.Ticket) { t.Open = false }},
		{"it was moved", "belongs to another company", func(t *ticket.Ticket) { t.Company = "other" }},
		{"it was given to somebody else", "not assigned to the requester", func(t *ticket.Ticket) { t.Assignee = "noor" }},
		{"the answer is about another one", "not there any more", func(t *ticket.Ticket) { t.ID = "1002" }},
		{"the customer got another ticket system", "another ticket system now", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
				p, err := w.store.Rules.Policy(t.Context(), access.DefaultPolicy().Name)
				check(t, err)
				p.NeedsApproval, p.Tickets = true, access.TicketRules{Assigned: true}
				_, err = w.store.Rules.SavePolicy(t.Context(), p)
				check(t, err)
				w.paper.set("1001", func(t *ticket.Ticket) { t.Assignee = "maya" })
				g, err := w.submit(w.people[0], "t1", fake.Admin, "1001", 30)
				check(t, err)
				if tt.act == nil {
					w.connection.Store("other")
				} else {
					w.paper.set("1001", tt.act)
				}
				w.admin.Roles = append(w.admin.Roles, access.Approver)
				w.admin, err = w.store.People.SavePerson(t.Context(), w.admin)
				check(t, err)
				_, err = w.broker().Access.Approve(t.Context(), w.admin, g.ID, "")
				check(t, err)
				if g = w.until(g.ID, access.NotGiven, 5*time.Minute); g.StopCause != access.ByRefusal || !strings.Contains(g.StopReason, tt.why) || !g.VerifiedAt.IsZero() {
					t.Errorf("%s: %s\n%s", g.StopCause, g.StopReason, w.story(g.ID))
				}
			})
		})
	}
}
