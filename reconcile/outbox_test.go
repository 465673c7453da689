package reconcile_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/reconcile"
	"jitney/schedule"
	"jitney/ticket"
)

// A slip is an outbox of one row, and a ticket system that answers as told.
type slip struct {
	finds  []ticket.NoteRef
	findIs error
	addIs  error
	limit  int
	slow   time.Duration // how long looking for a note takes
	gone   bool          // the ticket is not found
	whose  string        // company of the ticket, if not c

	added  []ticket.Note
	queued []access.Work
	tried  int
	result string
	parked bool
	done   bool
	events []access.Event
}

func (s *slip) Tickets(context.Context, ticket.Query) (ticket.Page, error) { return ticket.Page{}, nil }
func (s *slip) Find(context.Context, ...string) (map[string]ticket.Ticket, error) {
	if s.gone {
		return nil, nil
	}
	return map[string]ticket.Ticket{"1": {ID: "1", Company: cmp.Or(s.whose, "c"), Open: true}}, nil
}

// reconciler is one with this outbox and this ticket system, in which the
// customer's company is c.
func (s *slip) reconciler() *reconcile.Reconciler {
	return reconcile.New(reconcile.Ports{Outbox: s, Grants: s, Tickets: func(context.Context, string) (ticket.System, error) { return s, nil },
		Desks: func(context.Context, string) (ticket.System, string, string, error) { return s, "paper", "c", nil }}, reconcile.Config{})
}

func (s *slip) Times(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	return s.Notes(ctx, ticketID, key)
}
func (s *slip) BookTime(ctx context.Context, ticketID string, e ticket.TimeEntry) (ticket.NoteRef, error) {
	return s.AddNote(ctx, ticketID, ticket.Note{})
}
func (s *slip) SetStatus(context.Context, string, string) error { return s.addIs }

// Grant is one of the customer whose company is c.
func (s *slip) Grant(context.Context, string) (access.Grant, error) { return access.Grant{}, nil }
func (s *slip) Update(context.Context, string, func(*access.Grant) ([]access.Event, error)) (access.Grant, error) {
	return access.Grant{}, errors.New("not to be changed")
}
func (s *slip) Notes(context.Context, string, string) ([]ticket.NoteRef, error) {
	time.Sleep(s.slow)
	return s.finds, s.findIs
}
func (s *slip) AddNote(_ context.Context, _ string, n ticket.Note) (ticket.NoteRef, error) {
	s.added = append(s.added, n)
	return ticket.NoteRef{ID: "7"}, s.addIs
}
func (s *slip) Limits() ticket.Limits { return ticket.Limits{Body: s.limit, Grace: time.Minute} }

func (s *slip) Tried(context.Context, schedule.Lease) error           { s.tried++; return nil }
func (s *slip) WorkOf(context.Context, string) ([]access.Work, error) { return nil, nil }
func (s *slip) Join(context.Context, schedule.Lease, access.Note, ...access.Work) error {
	return errors.New("there is nothing else")
}
func (s *slip) Add(_ context.Context, w access.Work, _ ...access.Event) error {
	s.queued = append(s.queued, w)
	return nil
}
func (s *slip) Finish(_ context.Context, _ schedule.Lease, result string, parked bool, events ...access.Event) error {
	s.done, s.result, s.parked, s.events = true, result, parked, events
	return nil
}

func TestWritingANote(t *testing.T) {
	trouble := func(kind ticket.TroubleKind) error { return &ticket.Trouble{Kind: kind, Text: "No."} }
	tests := []struct {
		name   string
		slip   slip
		tried  time.Duration // ago; 0 for never
		adds   int
		done   bool
		parked bool
		fails  bool
	}{
		{"the first time", slip{}, 0, 1, true, false, false},
		{"it is there already", slip{finds: []ticket.NoteRef{{ID: "3"}}}, time.Second, 0, true, false, false},
		{"it is there twice", slip{finds: []ticket.NoteRef{{ID: "3"}, {ID: "4"}}}, time.Second, 0, true, false, false},
		{"it may still land", slip{}, 30 * time.Second, 0, false, false, false},
		{"it cannot land any more", slip{}, 61 * time.Second, 1, true, false, false},
		{"nobody knows whether it landed", slip{addIs: trouble(ticket.Doubtful)}, 0, 1, false, false, true},
		{"the system is down", slip{findIs: trouble(ticket.Down)}, 0, 0, false, false, true},
		{"too many calls", slip{addIs: trouble(ticket.Throttled)}, 0, 1, false, false, true},
		{"the ticket is gone", slip{findIs: trouble(ticket.Gone)}, 0, 0, true, true, false},
		{"the ticket takes no notes", slip{addIs: trouble(ticket.Closed)}, 0, 1, true, true, false},
		{"a right is missing", slip{addIs: trouble(ticket.Forbidden)}, 0, 1, true, true, false},
		{"it will never be taken", slip{addIs: trouble(ticket.Rejected)}, 0, 1, true, true, false},
		{"the ticket is not found for a moment", slip{gone: true}, 0, 0, false, false, true},
		{"the ticket is another company's now", slip{whose: "other"}, 0, 0, true, true, false},
		{"the ticket is another company's, and has it already", slip{whose: "other", finds: []ticket.NoteRef{{ID: "3"}}}, 0, 0, true, false, false},
		{"the settings are wrong, which people mend", slip{findIs: trouble(ticket.Misconfigured)}, 0, 0, false, false, true},
	}
	for _, tt := range tests {
		inBubble(t, tt.name, func(t *testing.T) {
			s := tt.slip
			r := s.reconciler()
			payload, err := json.Marshal(access.Note{Key: "jitney:g:granted:1", Grant: "g", Ticket: access.TicketRef{System: "paper", ID: "1"}, Body: "Text\n[jitney:g:granted:1]"})
			check(t, err)
			work := access.Work{Kind: reconcile.WorkNote, Payload: payload}
			if tt.tried > 0 {
				work.TriedAt = time.Now().Add(-tt.tried)
			}
			_, err = r.Work(t.Context(), schedule.Item[access.Work]{Value: work})
			if len(s.added) != tt.adds || s.tried != tt.adds || s.done != tt.done || s.parked != tt.parked || (err != nil) != tt.fails {
				t.Errorf("added %d, tried %d, done %v, parked %v, error %v", len(s.added), s.tried, s.done, s.parked, err)
			}
			if counted := len(s.queued) == 1 && s.queued[0].Kind == reconcile.WorkRecount; counted != (tt.tried > 0 && tt.done) || len(s.queued) > 1 {
				t.Errorf("what was in doubt, and only that, is counted again: %+v", s.queued)
			}
			if s.parked && len(s.events) != 1 {
				t.Error("parking leaves no record")
			}
		})
	}
}

// inBubble runs a test in virtual time: what was tried some seconds ago stays
// that, however long the machine takes.
func inBubble(t *testing.T, name string, body func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, body) })
}

// TestWhatFailsForADayIsParked has a ticket system that can be asked, and says
// only that it failed when something is to be done.
func TestWhatFailsForADayIsParked(t *testing.T) {
	for _, kind := range []string{reconcile.WorkNote, reconcile.WorkTime, reconcile.WorkStatus} {
		for name, s := range map[string]*slip{"at doing it": {addIs: &ticket.Trouble{Kind: ticket.Doubtful, Text: "It failed (status 500)."}},
			"at looking": {findIs: &ticket.Trouble{Kind: ticket.Down, Text: "It failed (status 500)."}}} {
			for age, parked := range map[time.Duration]bool{23 * time.Hour: false, 25 * time.Hour: name == "at doing it"} {
				if kind == reconcile.WorkStatus && s.addIs == nil {
					continue
				}
				r := s.reconciler()
				payload, err := json.Marshal(access.Note{Key: "jitney:g:x:1", Grant: "g", Ticket: access.TicketRef{System: "paper", ID: "1"}, Minutes: 1, Status: "Done"})
				check(t, err)
				s.parked = false
				_, err = r.Work(t.Context(), schedule.Item[access.Work]{Value: access.Work{Kind: kind, Payload: payload, CreatedAt: time.Now().Add(-age)}})
				if s.parked != parked || (err == nil) != parked || parked && !strings.Contains(s.result, "tried for a day") {
					t.Errorf("%s that failed %s for %s: parked %v, %q, error %v", kind, name, age, s.parked, s.result, err)
				}
			}
		}
	}
}

func TestANoteToATicketThatStaysAwayIsParked(t *testing.T) {
	s := slip{gone: true}
	payload, err := json.Marshal(access.Note{Key: "jitney:g:granted:1", Ticket: access.TicketRef{System: "paper", ID: "1"}, Body: "Text"})
	check(t, err)
	_, err = s.reconciler().Work(t.Context(), schedule.Item[access.Work]{Lease: schedule.Lease{Attempts: 2}, Value: access.Work{Kind: reconcile.WorkNote, Payload: payload}})
	if err != nil || !s.parked || !strings.Contains(s.result, "not there any more") || s.tried > 0 {
		t.Errorf("parked %v, %q, tried %d times: %v", s.parked, s.result, s.tried, err)
	}
}

func TestALongNoteKeepsItsKey(t *testing.T) {
	s := slip{limit: 60}
	r := s.reconciler()
	payload, err := json.Marshal(access.Note{Key: "jitney:g:ended:1", Ticket: access.TicketRef{System: "paper", ID: "1"}, Body: strings.Repeat("ü", 100) + "\n[jitney:g:ended:1]"})
	check(t, err)
	_, err = r.Work(t.Context(), schedule.Item[access.Work]{Value: access.Work{Kind: reconcile.WorkNote, Payload: payload}})
	check(t, err)
	if body := s.added[0].Body; len(body) > 60 || !strings.HasSuffix(body, "\n[jitney:g:ended:1]") || !strings.HasPrefix(body, "üü") {
		t.Errorf("body = %q", body)
	}
}

// TestANoteThatLandsDuringASlowLookIsNotWrittenTwice is about the grace after a
// lost answer: it must be over before the look begins, not when it ends.
func TestANoteThatLandsDuringASlowLookIsNotWrittenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slip{limit: 1000, slow: 5 * time.Second}
		n := access.Note{Key: "jitney:g:granted:1", Ticket: access.TicketRef{System: "slip", ID: "1"}, Body: "x"}
		payload, err := json.Marshal(n)
		check(t, err)
		r := s.reconciler()
		item := schedule.Item[access.Work]{Value: access.Work{Kind: reconcile.WorkNote, Key: n.Key, Payload: payload, TriedAt: time.Now().Add(-57 * time.Second)}}
		_, err = r.Work(t.Context(), item)
		if err != nil || len(s.added) != 0 {
			t.Errorf("written %d times more, %v", len(s.added), err)
		}
	})
}
