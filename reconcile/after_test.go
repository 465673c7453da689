package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/target/fake"
	"jitney/ticket"
)

// Times and BookTime keep time as notes do.
func (p *paper) Times(ctx context.Context, ticketID, key string) ([]ticket.NoteRef, error) {
	return p.Notes(ctx, ticketID, key)
}

func (p *paper) BookTime(ctx context.Context, ticketID string, e ticket.TimeEntry) (ticket.NoteRef, error) {
	return p.AddNote(ctx, ticketID, ticket.Note{Key: e.Key, Body: e.Text, Subject: e.To.Sub(e.From).Round(time.Minute).String()})
}

func (p *paper) SetStatus(ctx context.Context, ticketID, status string) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	p.set(ticketID, func(t *ticket.Ticket) { t.Status, t.Open = status, false })
	return nil
}

func (p *paper) get(id string) ticket.Ticket {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tickets[id]
}

func TestTimeAndStatusFollowTheEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		w.ruled(access.TicketRules{TimeEntry: true, Status: "Completed"})
		w.paper.fault = func(call int) paperFault { // the time is booked, and nobody hears of it
			if call == 3 {
				return paperDoneLost
			}
			return paperFine
		}
		g := w.activate(fake.Admin, 10)
		w.until(g.ID, access.Ended, 12*time.Minute)
		await(3*time.Minute, func() bool { return !w.paper.get("1001").Open })
		if one := w.paper.get("1001"); one.Status != "Completed" {
			t.Errorf("its status is %q\n%s", one.Status, w.story(g.ID))
		}
		var kinds []string
		for _, key := range w.paper.keys("1001") {
			kinds = append(kinds, strings.Split(key, ":")[2])
		}
		if !slices.Equal(kinds, []string{"granted", "ended", "time"}) {
			t.Errorf("written: %q", kinds)
		}
		if body := w.body("jitney:" + g.ID + ":time:1"); !strings.HasPrefix(body, "Access with maya@t1.example, 10 min\n[jitney:") {
			t.Errorf("time: %q", body)
		}
	})
}

func TestTheStatusStaysWhileOtherAccessHangsOnTheTicket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ *fake.Realm) {
		w.ruled(access.TicketRules{Status: "Completed", EndOnClose: true})
		short := w.activate(fake.Admin, 10)
		long, err := w.submit(w.people[1], "t2", fake.Admin, "1001", 30)
		check(t, err)
		w.until(short.ID, access.Ended, 12*time.Minute)
		time.Sleep(3 * time.Minute)
		if !w.paper.get("1001").Open {
			t.Error("it was closed under access that is live")
		}
		w.until(long.ID, access.Ended, 20*time.Minute)
		await(3*time.Minute, func() bool { return !w.paper.get("1001").Open })
		if w.paper.get("1001").Open || w.grant(long.ID).StopCause != "" {
			t.Errorf("%+v", w.paper.get("1001"))
		}
	})
}
