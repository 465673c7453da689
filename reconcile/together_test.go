package reconcile_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/reconcile"
	"jitney/schedule"
	"jitney/target/fake"
	"jitney/ticket"
)

// refused has the ticket system take no notes of which fits says so.
func (p *paper) refused(kind ticket.TroubleKind, fits func(ticket.Note) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = func(n ticket.Note) *ticket.Trouble {
		if fits(n) {
			return &ticket.Trouble{Kind: kind, Text: "No."}
		}
		return nil
	}
}

func holds(text string) func(ticket.Note) bool {
	return func(n ticket.Note) bool { return strings.Contains(n.Body, text) }
}

// carried lists the notes on the tickets that carry a key.
func (p *paper) carried(key string) (notes []ticket.Note) {
	for _, n := range p.all() {
		if ticket.Carries(n.Body, key) {
			notes = append(notes, n)
		}
	}
	return notes
}

// TestAnEndBringsAlongTheNotesThatAreParkedBeforeIt has a ticket take the note
// of the end and not that of the beginning, which must not come behind it.
func TestAnEndBringsAlongTheNotesThatAreParkedBeforeIt(t *testing.T) {
	tests := []struct {
		name string
		act  func(w *world, g access.Grant) // after the note of the beginning was parked
		all  bool                           // the texts of both are there
	}{
		{"when the end comes", func(w *world, _ access.Grant) { w.paper.refused("", holds("nothing")) }, true},
		{"when both are sent again", func(w *world, g access.Grant) {
			w.paper.refused(ticket.Closed, holds(g.ID))
			w.until(g.ID, access.Ended, 30*time.Minute)
			time.Sleep(time.Minute)
			page, err := w.broker().Access.Grant(w.t.Context(), w.people[0], g.ID)
			if err != nil || len(page.Notes) != 2 || page.Notes[0].State != broker.NoteParked || page.Notes[0].WorkID != page.Notes[1].WorkID {
				w.t.Errorf("one goes with the other and is not as far as that: %+v, %v", page.Notes, err)
			}
			w.paper.refused("", holds("nothing"))
			w.retryParked()
		}, true},
		{"without its text, where that is what is refused", func(w *world, _ access.Grant) {
			w.paper.refused(ticket.Rejected, holds("Patching the practice servers."))
		}, false},
		{"with the answer lost", func(w *world, _ access.Grant) {
			w.paper.refused("", holds("nothing"))
			w.paper.mu.Lock()
			defer w.paper.mu.Unlock()
			w.paper.fault = func(call int) paperFault { return []paperFault{paperFine, paperDoneLost, paperLate}[min(call, 2)] }
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
				w.paper.refused(ticket.Rejected, holds(":granted:"))
				g := w.activateUntold(fake.Admin, 15)
				time.Sleep(time.Minute)
				tt.act(w, g)
				w.until(g.ID, access.Ended, 30*time.Minute)
				time.Sleep(10 * time.Minute)
				w.retryParked() // there is nothing left to be sent again
				time.Sleep(10 * time.Minute)
				granted, ended := w.paper.carried("jitney:"+g.ID+":granted:1"), w.paper.carried("jitney:"+g.ID+":ended:1")
				if len(granted) != 1 || len(ended) != 1 || granted[0] != ended[0] {
					t.Fatalf("the key of the beginning is there in %+v, that of the end in %+v\n%s", granted, ended, w.story(g.ID))
				}
				body := ended[0].Body
				first, second := strings.Index(body, "Reason: Patching"), strings.Index(body, "Access has been revoked")
				if second < 0 || (first >= 0) != tt.all || first > second || strings.Count(body, "Grant: ") != 1 || !strings.HasSuffix(body, "\n[jitney:"+g.ID+":granted:1] [jitney:"+g.ID+":ended:1]") {
					t.Errorf("the note reads\n%s", body)
				}
				page, err := w.broker().Access.Grant(t.Context(), w.people[0], g.ID)
				check(t, err)
				for _, n := range page.Notes {
					if n.State != broker.NoteDone {
						t.Errorf("%s is %s: %s", n.Kind, n.State, n.Reason)
					}
				}
			})
		})
	}
}

// TestTroubleIsNotToldAfterTheEnd parks all notes while access does not end.
func TestTroubleIsNotToldAfterTheEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, realm *fake.Realm) {
		w.paper.refused(ticket.Closed, holds("jitney:"))
		g := w.activateUntold(fake.Admin, 15)
		realm.DownBetween(g.EndsAt().Add(-time.Minute), g.EndsAt().Add(20*time.Minute))
		time.Sleep(25 * time.Minute)
		w.paper.refused("", holds("nothing"))
		w.until(g.ID, access.Ended, 30*time.Minute)
		time.Sleep(5 * time.Minute)
		body := w.body("jitney:" + g.ID + ":ended:1")
		order := []int{strings.Index(body, "Reason: Patching"), strings.Index(body, "should have ended"), strings.Index(body, "Access has been revoked")}
		if len(w.paper.all()) != 1 || order[0] < 0 || !slices.IsSorted(order) {
			t.Errorf("%d notes, the last:\n%s", len(w.paper.all()), body)
		}
	})
}

// TestANoteThatIsStartedAgainMeanwhileComesOnce has somebody send the note of
// the beginning again at each moment at which the ticket system is asked for
// the end.
func TestANoteThatIsStartedAgainMeanwhileComesOnce(t *testing.T) {
	for call := range 6 {
		inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
			w.paper.refused(ticket.Rejected, holds(":granted:"))
			g := w.activateUntold(fake.Admin, 15)
			time.Sleep(time.Minute)
			w.paper.refused("", holds("nothing"))
			time.Sleep(time.Until(g.EndsAt()) - time.Second)
			calls := 0
			w.paper.mu.Lock()
			w.paper.latency = func() time.Duration {
				if calls++; calls == call+1 {
					w.running.Go(w.retryParked)
				}
				return time.Second
			}
			w.paper.mu.Unlock()
			w.until(g.ID, access.Ended, 30*time.Minute)
			time.Sleep(10 * time.Minute)
			granted, ended := w.paper.carried("jitney:"+g.ID+":granted:1"), w.paper.carried("jitney:"+g.ID+":ended:1")
			if len(granted) != 1 || len(ended) != 1 || w.paper.all()[0] != granted[0] {
				t.Errorf("at call %d: the beginning is there %d times, the end %d times, in %d notes", call, len(granted), len(ended), len(w.paper.all()))
			}
		})
	}
}

// A pile is a slip with other notes of its grant, and notes found by key.
type pile struct {
	*slip
	works  []access.Work
	found  string // key of a note that is on the ticket
	joined []string
}

func (p *pile) WorkOf(context.Context, string) ([]access.Work, error) { return p.works, nil }

func (p *pile) Notes(_ context.Context, _, key string) (refs []ticket.NoteRef, err error) {
	if key == p.found {
		refs = []ticket.NoteRef{{ID: "3"}}
	}
	return refs, p.findIs
}

func (p *pile) Join(_ context.Context, _ schedule.Lease, n access.Note, rows ...access.Work) error {
	for _, w := range rows {
		p.joined = append(p.joined, w.Key)
	}
	return nil
}

func TestWhatAnEndBringsAlong(t *testing.T) {
	const granted, overdue, ended = "jitney:g:granted:1", "jitney:g:overdue:1", "jitney:g:ended:1"
	now := time.Now()
	row := func(key, lane string, parked, done bool, tried time.Duration) access.Work {
		payload, err := json.Marshal(access.Note{Key: key, Grant: "g", Ticket: access.TicketRef{System: "paper", ID: "1"}, Body: "Text\n[" + key + "]"})
		check(t, err)
		w := access.Work{Kind: reconcile.WorkNote, Key: key, Lane: lane, Payload: payload, Grant: "g"}
		if parked {
			w.ParkedAt = now
		}
		if done {
			w.DoneAt = now
		}
		if tried > 0 {
			w.TriedAt = now.Add(-tried)
		}
		return w
	}
	tests := []struct {
		name   string
		before []access.Work
		found  string
		joined []string
		adds   int
		fails  bool
	}{
		{"nothing", nil, "", nil, 1, false},
		{"what is parked", []access.Work{row(granted, "l", true, false, 0), row(overdue, "l", true, false, time.Hour)}, "", []string{granted, overdue}, 1, false},
		{"not what was written", []access.Work{row(granted, "l", false, true, 0), row(overdue, "l", true, false, 0)}, "", []string{overdue}, 1, false},
		{"not what landed though it is parked", []access.Work{row(granted, "l", true, false, time.Second)}, granted, nil, 1, false},
		{"not yet what may still land", []access.Work{row(granted, "l", true, false, time.Second), row(overdue, "l", true, false, 0)}, "", nil, 0, false},
		{"not what is of another ticket", []access.Work{row(granted, "other", true, false, 0)}, "", nil, 1, false},
		{"not what was started again and goes first", []access.Work{row(granted, "l", false, false, 0)}, "", nil, 0, true},
		{"not what cannot be read", []access.Work{{Kind: reconcile.WorkNote, Key: granted, Lane: "l", ParkedAt: now, Payload: []byte("{")}}, "", nil, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own := row(ended, "l", false, false, 0)
			p := &pile{slip: &slip{}, works: append(tt.before, own, row("jitney:g:history:1", "l", true, false, 0)), found: tt.found}
			r := reconcile.New(reconcile.Ports{Outbox: p, Grants: p, Tickets: func(context.Context, string) (ticket.System, error) { return p, nil },
				Desks: func(context.Context, string) (ticket.System, string, string, error) { return p, "paper", "c", nil }}, reconcile.Config{})
			_, err := r.Work(t.Context(), schedule.Item[access.Work]{Value: own})
			if (err != nil) != tt.fails || len(p.added) != tt.adds || p.tried != tt.adds || !slices.Equal(p.joined, tt.joined) {
				t.Errorf("joined %q, added %+v, %v", p.joined, p.added, err)
			}
			for _, key := range append(tt.joined, ended) {
				if len(p.added) > 0 && !ticket.Carries(p.added[0].Body, key) {
					t.Errorf("the note does not carry %s: %q", key, p.added[0].Body)
				}
			}
		})
	}
}
