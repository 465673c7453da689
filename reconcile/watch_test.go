package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/target/fake"
	"jitney/ticket"
)

// ruled has every later request go by what tickets mean.
func (w *world) ruled(rules access.TicketRules) {
	w.t.Helper()
	p, err := w.store.Rules.Policy(w.t.Context(), access.DefaultPolicy().Name)
	check(w.t, err)
	p.Tickets = rules
	_, err = w.store.Rules.SavePolicy(w.t.Context(), p)
	check(w.t, err)
}

// set changes a ticket as somebody in the ticket system would.
func (p *paper) set(id string, change func(*ticket.Ticket)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tickets[id]
	change(&t)
	p.tickets[id] = t
}

func (p *paper) remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tickets, id)
}

func (p *paper) down(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.downTill = time.Now().Add(d)
}

func TestClosingTheTicketEndsTheAccess(t *testing.T) {
	shut := func(t *ticket.Ticket) { t.Open = false }
	closing := access.TicketRules{EndOnClose: true, CloseGrace: 5 * time.Minute}
	tests := []struct {
		name   string
		rules  access.TicketRules
		act    func(w *world)
		within time.Duration // zero: it goes on
		why    string
		told   string
	}{
		{"after the grace", closing, func(w *world) { w.paper.set("1001", shut) }, 8 * time.Minute, "was closed", "ends in 5 min, unless"},
		{"at once", access.TicketRules{EndOnClose: true}, func(w *world) { w.paper.set("1001", shut) }, 2*time.Minute + 30*time.Second, "was closed", "The access ends."},
		{"not where the policy does not say so", access.TicketRules{CloseGrace: time.Minute}, func(w *world) { w.paper.set("1001", shut) }, 0, "", ""},
		{"not if it is opened again", closing, func(w *world) {
			w.paper.set("1001", shut)
			time.Sleep(4 * time.Minute)
			w.paper.set("1001", func(t *ticket.Ticket) { t.Open = true })
		}, 0, "", "is open again"},
		{"also while the system does not answer any more", closing, func(w *world) {
			w.paper.set("1001", shut)
			time.Sleep(3 * time.Minute)
			w.paper.down(time.Hour)
		}, 6 * time.Minute, "was closed", "ends in 5 min"},
		{"not because the system does not answer", closing, func(w *world) { w.paper.down(25 * time.Minute) }, 0, "", ""},
		{"if it was deleted", closing, func(w *world) { w.paper.remove("1001") }, 9 * time.Minute, "is not there any more", "is not there any more"},
		{"not if it was not there once", closing, func(w *world) {
			w.paper.remove("1001")
			awaitEvery(time.Second, 4*time.Minute, func() bool { return w.paper.missed() })
			w.paper.open("1001", w.customer.ID)
		}, 0, "", ""},
		{"if it was moved to another company", closing, func(w *world) { w.paper.set("1001", func(t *ticket.Ticket) { t.Company = "other" }) }, 8 * time.Minute, "belongs to another company now", ""},
		{"not if it was merged into an open one", closing, func(w *world) { w.paper.set("1001", func(t *ticket.Ticket) { t.MergedInto = "1002" }) }, 0, "", "merged into another that is open"},
		{"if it was merged into a closed one", closing, func(w *world) {
			w.paper.set("1001", func(t *ticket.Ticket) { t.MergedInto, t.Open = "1002", false })
		}, 8 * time.Minute, "merged into one that is closed", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
				w.ruled(tt.rules)
				g := w.activate(fake.Admin, 60)
				tt.act(w)
				if tt.within == 0 {
					time.Sleep(20 * time.Minute)
					if s := w.state(g.ID); s != access.Active && s != access.Expiring {
						t.Errorf("it is %s\n%s", s, w.story(g.ID))
					}
				} else if g = w.until(g.ID, access.Ended, tt.within); g.StopCause != access.ByTicket || !strings.Contains(g.StopReason, tt.why) {
					t.Errorf("cause %q: %q", g.StopCause, g.StopReason)
				}
				if n := w.count(g.ID, access.EventTicket); tt.told != "" && (n == 0 || n > 2 || !strings.Contains(w.story(g.ID), tt.told)) {
					t.Errorf("%d events\n%s", n, w.story(g.ID))
				}
			})
		})
	}
}

// TestTicketsAreWatchedInTurn has three tickets watched where only one can be
// looked for in a minute.
func TestTicketsAreWatchedInTurn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		w.paper.finds = 1
		w.ruled(access.TicketRules{EndOnClose: true, CloseGrace: time.Minute})
		var all []access.Grant
		for i, id := range []string{"1001", "1002", "1003"} {
			w.paper.open(id, w.customer.ID)
			g, err := w.submit(w.people[i%len(w.people)], "t1", fake.Admin, id, 60)
			check(t, err)
			w.until(g.ID, access.Active, time.Minute)
			all = append(all, g)
		}
		w.paper.mu.Lock()
		before := w.paper.found
		w.paper.mu.Unlock()
		time.Sleep(20 * time.Minute)
		w.paper.mu.Lock()
		looks := w.paper.found - before
		w.paper.mu.Unlock()
		if looks < 15 || looks > 22 {
			t.Errorf("%d looks in 20 minutes", looks)
		}
		for _, g := range all {
			if s := w.state(g.ID); s != access.Active {
				t.Errorf("it is %s, though its ticket is open\n%s", s, w.story(g.ID))
			}
		}
		w.paper.set("1003", func(t *ticket.Ticket) { t.Open = false })
		w.paper.remove("1001")
		for _, g := range []access.Grant{all[2], all[0]} {
			if !await(10*time.Minute, func() bool { return w.grant(g.ID).StopCause == access.ByTicket }) {
				t.Errorf("it is %s\n%s", w.state(g.ID), w.story(g.ID))
			}
		}
		if s := w.state(all[1].ID); s != access.Active {
			t.Errorf("it is %s, though its ticket is open", s)
		}
	})
}

// missed reports whether somebody looked for a ticket that was not there.
func (p *paper) missed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.notThere > 0
}

// assigned has tickets be the requester's from now on.
func (w *world) assigned() { w.ruled(access.TicketRules{Unverified: true, Assigned: true}) }

func TestATypedNumberIsVerifiedLater(t *testing.T) {
	tests := []struct {
		name   string
		number string
		act    func(w *world)
		ends   string // why; empty if it goes on
		notes  []string
	}{
		{"it is found", "n-1001", func(*world) {}, "", []string{"granted", "ticket", "ended"}},
		{"it is the id", "1001", func(*world) {}, "", []string{"granted", "ticket", "ended"}},
		{"there is none", "n-9", func(*world) {}, "is no ticket of this customer", nil},
		{"it is of another company", "N-1001", func(w *world) { w.paper.set("1001", func(t *ticket.Ticket) { t.Company = "other" }) }, "is no ticket of this customer", nil},
		{"it is closed", "1001", func(w *world) {
			w.paper.set("1001", func(t *ticket.Ticket) { t.Open, t.Number = false, "1001" })
		}, "is closed", []string{"granted", "ended"}},
		{"it is assigned to the requester", "n-1001", func(w *world) {
			w.assigned()
			w.paper.set("1001", func(t *ticket.Ticket) { t.Assignee = "maya" })
		}, "", []string{"granted", "ticket", "ended"}},
		{"it is assigned to somebody else", "n-1001", func(w *world) {
			w.assigned()
			w.paper.set("1001", func(t *ticket.Ticket) { t.Assignee = "noor" })
		}, "is not assigned to the requester", []string{"granted", "ended"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
				w.ruled(access.TicketRules{Unverified: true})
				if tt.number == "1001" {
					w.paper.set("1001", func(t *ticket.Ticket) { t.Number = "1001" })
				}
				w.paper.down(10 * time.Minute)
				g, err := w.broker().Access.Submit(t.Context(), w.people[0], broker.Submission{Customer: w.customer.ID, Target: "t1", Entitlement: fake.Admin, Number: tt.number, Minutes: 30, Reason: "The ticket system is down."})
				check(t, err)
				w.until(g.ID, access.Active, time.Minute)
				tt.act(w)
				time.Sleep(14 * time.Minute)
				stored, err := w.store.Grants.Grant(t.Context(), g.ID)
				check(t, err)
				if stored.Ticket.Unverified || (stored.StopCause == access.ByTicket) != (tt.ends != "") || !strings.Contains(stored.StopReason, tt.ends) {
					t.Errorf("%+v: %s\n%s", stored.Ticket, stored.StopReason, w.story(g.ID))
				}
				time.Sleep(20 * time.Minute)
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
