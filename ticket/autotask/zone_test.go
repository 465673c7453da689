package autotask

import (
	"errors"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"jitney/secret"
	sim "jitney/sim/autotask"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// TestTheAccountMovesToAnotherZone looks inside, for the time that an answer
// about the zone is believed.
func TestTheAccountMovesToAnotherZone(t *testing.T) {
	s := sim.New(sim.Switches{}, secret.New("secret"))
	srv := httptest.NewServer(s)
	defer srv.Close()
	opened, err := Kind(reach.Rules{Private: []string{"127.0.0.0/8"}}).Open(t.Context(), ticket.Settings{
		Values:  map[string]string{"url": srv.URL, "user": sim.User, "publish": "2", "note_type": "3"},
		Secrets: map[string]secret.Text{"secret": secret.New("secret"), "code": secret.New(sim.Code)}})
	if err != nil {
		t.Fatal(err)
	}
	sys := opened.(*system)
	defer sys.Close()
	id := s.AddTicket(s.AddCompany("A", 1), "Printer")
	find := func() {
		t.Helper()
		if found, err := sys.Find(t.Context(), id); err != nil || len(found) != 1 {
			t.Errorf("Find: %v, %v", found, err)
		}
	}
	later := func() { sys.zone.askedAt = time.Now().Add(-time.Minute) }
	find()
	s.Move("ww2")
	later()
	find() // a call that reads is made again there
	s.Move("ww3")
	later()
	n := ticket.Note{Key: "jitney:moved:granted:1", Body: "x"}
	if _, err := sys.AddNote(t.Context(), id, n); ticket.TroubleOf(err) != ticket.Down {
		t.Errorf("AddNote: %v; want %s, for it surely had no effect", err, ticket.Down)
	}
	if _, err := sys.AddNote(t.Context(), id, n); err != nil {
		t.Errorf("AddNote, later: %v", err)
	}
	if texts, _ := s.Notes(n.Key); len(texts) != 1 {
		t.Errorf("written %d times", len(texts))
	}
}

func TestBudget(t *testing.T) {
	var b budget
	now := time.Now()
	for i := range stock {
		if wait := b.take(now); wait > 0 {
			t.Fatalf("call %d has to wait %v", i, wait)
		}
	}
	wait := b.take(now)
	if wait <= 0 || wait > 3*time.Second {
		t.Fatalf("the next call waits %v", wait)
	}
	if again := b.take(now.Add(wait)); again > 0 {
		t.Errorf("after that it waits another %v", again)
	}
	calls := 0
	for at := now; at.Before(now.Add(time.Hour)); at = at.Add(time.Second) {
		if b.take(at) == 0 {
			calls++
		}
	}
	if calls+stock > 2000+1 {
		t.Errorf("%d calls in an hour", calls+stock)
	}
}

// TestTheShareOfAnHourIsKept asks each second for an hour; Autotask allows
// 10,000 calls to all integrations together. It looks inside, so that no
// finder of zones has to be reached in it.
func TestTheShareOfAnHourIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened, err := Kind(reach.Rules{}).Open(t.Context(), ticket.Settings{
			Values:  map[string]string{"url": "https://[::1]:9", "user": sim.User}, // never reached: refused by the rules
			Secrets: map[string]secret.Text{"secret": secret.New("secret"), "code": secret.New(sim.Code)}})
		if err != nil {
			t.Fatal(err)
		}
		sys := opened.(*system)
		sys.zone = zone{client: sys.front, base: "https://[::1]:9"}
		throttled := 0
		for range 3600 {
			_, err := sys.Notes(t.Context(), "7", "jitney:g:granted:1")
			trouble, ok := errors.AsType[*ticket.Trouble](err)
			if !ok || trouble.Kind == ticket.Throttled && trouble.After <= 0 {
				t.Fatalf("%v", err)
			}
			if trouble.Kind == ticket.Throttled {
				throttled++
			}
			time.Sleep(time.Second)
		}
		if made := 3600 - throttled; made < 1900 || made > 2050 {
			t.Errorf("%d calls in an hour; want about 2000", made)
		}
	})
}
