package store_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/store"
)

func TestWhatTicketSystemsTold(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if l, err := s.Tickets.TicketList(ctx, "rt1", "7"); err != nil || !l.ReadAt.IsZero() {
			t.Errorf("before it was asked: %+v, %v", l, err)
		}
		l := access.TicketList{Connection: "rt1", Company: "7", More: true, ReadAt: t0.Add(time.Minute),
			Tickets: []access.OpenTicket{{ID: "3", Number: "3", Title: "Printer", Status: "new", OpenedAt: t0}}}
		check := func(want string) {
			t.Helper()
			got, err := s.Tickets.TicketList(ctx, "rt1", "7")
			if err != nil || !got.More || len(got.Tickets) != 1 || got.Tickets[0].Title != want || !got.Tickets[0].OpenedAt.Equal(t0) {
				t.Errorf("%+v, %v", got, err)
			}
		}
		if err := s.Tickets.SetTicketList(ctx, l); err != nil {
			t.Fatal(err)
		}
		check("Printer")
		late := l
		late.ReadAt, late.Tickets = t0, []access.OpenTicket{{ID: "1", Title: "Old"}}
		if err := s.Tickets.SetTicketList(ctx, late); err != nil { // an answer that was overtaken
			t.Fatal(err)
		}
		check("Printer")
		if _, err := s.Connections.SaveConnection(ctx, access.Connection{ID: "rt1", Kind: "rt", Name: "RT", CreatedAt: t0}, nil); err != nil {
			t.Fatal(err)
		}
		other := l
		other.Edition, other.Tickets = 2, []access.OpenTicket{{ID: "1", Title: "Of other settings", OpenedAt: t0}}
		if err := s.Tickets.SetTicketList(ctx, other); err != nil {
			t.Fatal(err)
		}
		check("Printer")
		other.Edition, other.Tickets[0].Title = 1, "Mine"
		if err := s.Tickets.SetTicketList(ctx, other); err != nil {
			t.Fatal(err)
		}
		check("Mine")
		if err := s.Tickets.DropTicketLists(ctx, "rt1"); err != nil {
			t.Fatal(err)
		}
		if l, err := s.Tickets.TicketList(ctx, "rt1", "7"); err != nil || !l.ReadAt.IsZero() {
			t.Errorf("after it was dropped: %+v, %v", l, err)
		}
		for _, title := range []string{"Completed", "Closed"} {
			c := access.Choices{Connection: "rt1", Field: "closed", ReadAt: t0, All: []access.Choice{{Value: "5", Title: title}}}
			if err := s.Tickets.SetChoices(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := s.Tickets.Choices(ctx, "rt1"); err != nil || len(all) != 1 || all[0].All[0].Title != "Closed" || !all[0].ReadAt.Equal(t0) {
			t.Errorf("%+v, %v", all, err)
		}
		if err := s.Tickets.DropTicketLists(ctx, "rt1"); err != nil {
			t.Fatal(err)
		}
		if all, err := s.Tickets.Choices(ctx, "rt1"); err != nil || len(all) != 0 {
			t.Errorf("after it was dropped: %+v, %v", all, err)
		}
	})
}

func TestTicketsOfLiveGrantsAreWatched(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		n := request("g1", "p1")
		n.Grant.Ticket = access.TicketRef{System: "rt1", Number: "77", URL: "https://rt.example/77", Unverified: true}
		g := create(t, s, n)
		create(t, s, request("g2", "p2"))
		if all, err := s.Tickets.WatchedConnections(ctx); err != nil || strings.Join(all, " ") != "desk rt1" {
			t.Errorf("%q, %v", all, err)
		}
		if err := s.Tickets.Notice(ctx, access.TicketSign{Connection: "rt1", Ticket: "5", ClosedAt: t0, Missed: 2, Why: "closed"}); err != nil {
			t.Fatal(err)
		}
		grants, signs, err := s.Tickets.Watched(ctx, "rt1")
		if err != nil || len(grants) != 1 || grants[0].Ticket != n.Grant.Ticket || grants[0].Person != "p1" || len(signs) != 1 || !signs[0].ClosedAt.Equal(t0) {
			t.Errorf("%+v, %+v, %v", grants, signs, err)
		}
		if err := s.Tickets.Notice(ctx, access.TicketSign{Connection: "rt1", Ticket: "5"}); err != nil {
			t.Fatal(err)
		}
		if _, signs, err = s.Tickets.Watched(ctx, "rt1"); err != nil || len(signs) != 0 {
			t.Errorf("%+v, %v", signs, err)
		}
		if _, err := s.Grants.Update(ctx, "g2", func(g *access.Grant) ([]access.Event, error) { g.StoppedAt = t0; return nil, nil }); err != nil {
			t.Fatal(err)
		}
		if grants, _, err = s.Tickets.Watched(ctx, "desk"); err != nil || len(grants) != 0 {
			t.Errorf("a stopped one is watched: %+v, %v", grants, err)
		}
		waitingNotes(t, s, g)
	})
}

// waitingNotes is about notes to a ticket of which only the number is known.
func waitingNotes(t *testing.T, s *store.Store, g access.Grant) {
	t.Helper()
	ctx := t.Context()
	note := access.Note{Key: "jitney:g1:granted:1", Grant: g.ID, Ticket: g.Ticket, Body: "x"}
	payload, _ := json.Marshal(note)
	if err := s.Outbox.Add(ctx, access.Work{Kind: "note", Key: note.Key, Group: "rt1", Lane: "rt1/number 77", Grant: g.ID, Payload: payload}); err != nil {
		t.Fatal(err)
	}
	ref := access.TicketRef{System: "rt1", ID: "1077", Number: "77", Title: "Printer"}
	told := access.Note{Key: "jitney:g1:ticket:1", Grant: g.ID, Ticket: ref, Body: "It was found."}
	if err := s.Tickets.SetTicket(ctx, g.ID, ref, []access.Note{told}, access.Event{At: t0, Kind: access.EventTicket, Grant: g.ID, Text: "Found."}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Grants.Grant(ctx, g.ID); err != nil || got.Ticket != ref {
		t.Errorf("%+v, %v", got.Ticket, err)
	}
	works, err := s.Outbox.WorkOf(ctx, g.ID)
	if err != nil || len(works) != 2 {
		t.Fatalf("%+v, %v", works, err)
	}
	for _, w := range works {
		var n access.Note
		if err := json.Unmarshal(w.Payload, &n); err != nil || w.Lane != "rt1/1077" || n.Ticket != ref {
			t.Errorf("%+v in lane %s, %v", n, w.Lane, err)
		}
	}
	items, err := s.Outbox.Claim(ctx, schedule.Claim{Owner: "me", For: time.Minute, Limit: 10})
	if err != nil || len(items) != 1 { // the second waits behind the first
		t.Fatalf("%d, %v", len(items), err)
	}
	if err := s.Outbox.Finish(ctx, items[0].Lease, "No.", true); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Outbox.Parked(ctx, "rt1", 5); err != nil || len(all) != 1 || all[0].Key != note.Key {
		t.Errorf("%+v, %v", all, err)
	}
	w := access.Work{Kind: "watch", Key: "watch:rt1", Group: "watch:rt1", Lane: "watch:rt1"}
	for range 2 { // the second leaves it alone
		if err := s.Tickets.Rest(ctx, w); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPoliciesKeepWhatTheySayOfTickets(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		p := access.DefaultPolicy()
		p.Name, p.Version = "tickets", 0
		p.Tickets = access.TicketRules{Unverified: true, Assigned: true, EndOnClose: true, TimeEntry: true, Status: "Completed"}
		if _, err := s.Rules.SavePolicy(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Rules.Policy(t.Context(), "tickets"); err != nil || got.Tickets != p.Tickets {
			t.Errorf("%+v, %v", got.Tickets, err)
		}
	})
}
