package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/target/fake"
)

// A pigeon carries mail, when it can.
type pigeon struct {
	mu    sync.Mutex
	ill   bool
	moved []string // "to, to: subject: body"
}

func (p *pigeon) Send(_ context.Context, to []string, subject, body string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ill {
		return &access.Error{Kind: access.Unavailable, Text: "The pigeon is ill."}
	}
	slices.Sort(to)
	p.moved = append(p.moved, strings.Join(to, ", ")+": "+subject+": "+body)
	return nil
}

func (p *pigeon) carried() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.moved)
}

func TestPeopleAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, access.DefaultPolicy())
		defer w.close()
		w.mailer = &pigeon{ill: true}
		w.start()
		realm := w.realms["t3"]
		g := w.borrow(5)
		realm.Refuse("purge refused")
		w.until(g.ID, access.Blocked, 6*time.Minute)
		time.Sleep(10 * time.Minute)
		w.mailer.mu.Lock()
		w.mailer.ill = false
		w.mailer.mu.Unlock()
		if !await(10*time.Minute, func() bool { return len(w.mailer.carried()) == 2 }) { // blocked, and overdue
			t.Fatalf("carried %q", w.mailer.carried())
		}
		for _, m := range w.mailer.carried() {
			if !strings.HasPrefix(m, "ada@msp.example, maya@msp.example: Jitney: Access ") || !strings.Contains(m, "(ticket N-1001)") || strings.Contains(m, "[jitney:") {
				t.Errorf("mail: %s", m)
			}
		}
		realm.Refuse("")
		w.until(g.ID, access.Ended, 3*time.Minute)

		w.realms["t1"].DownBetween(time.Now(), time.Now().Add(3*time.Hour))
		late, err := w.submit(w.people[1], "t1", fake.Admin, "1002", 5)
		check(t, err)
		w.until(late.ID, access.NotGiven, 5*time.Hour)
		if !await(time.Minute, func() bool { return len(w.mailer.carried()) == 4 }) { // overdue, then not given
			t.Fatalf("carried %q", w.mailer.carried())
		}
		if m := w.mailer.carried()[3]; !strings.HasPrefix(m, "noor@msp.example: Jitney: Access not given") {
			t.Errorf("mail: %s", m)
		}
	})
}
