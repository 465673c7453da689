package autotask_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	sim "jitney/sim/autotask"
	"jitney/ticket"
)

func spent(minutes int64) ticket.TimeEntry {
	return ticket.TimeEntry{Key: "jitney:g1:time:1", Text: "Access with adm-x\n[jitney:g1:time:1]", Minutes: minutes, From: time.Now().Add(-time.Hour), To: time.Now()}
}

func TestTimeIsBooked(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a := s.AddCompany("Aviary", 1)
	id, other := s.AddTicket(a, "Printer"), s.AddTicket(a, "Phone")
	bree, cleo := s.AddResource("bree", "bree@aviary.example", 8), s.AddResource("cleo", "cleo@aviary.example", 4)
	s.Assign(id, bree)
	timer, ok := ticket.As[ticket.Timer](connect(t, url))
	if !ok {
		t.Fatal("it books no time")
	}
	if ref, err := timer.BookTime(t.Context(), id, spent(20)); err != nil || ref.ID == "" {
		t.Fatalf("%+v, %v", ref, err)
	}
	all := s.Entries(id)
	if len(all) != 1 || all[0].Resource != bree || all[0].Role != 8 || strings.Contains(all[0].Summary, "adm-x") || !strings.Contains(all[0].Internal, "adm-x") {
		t.Errorf("%+v", all)
	}
	for ticketID, want := range map[string]int{id: 1, other: 0, "x": 0} {
		if refs, err := timer.Times(t.Context(), ticketID, "jitney:g1:time:1"); err != nil || len(refs) != want {
			t.Errorf("%s: %+v, %v", ticketID, refs, err)
		}
	}
	if _, err := timer.BookTime(t.Context(), other, spent(20)); ticket.TroubleOf(err) != ticket.Rejected || !strings.Contains(err.Error(), "assigned to nobody") {
		t.Errorf("nobody to book it for: %v", err)
	}
	named, _ := ticket.As[ticket.Timer](connect(t, url, "time_resource", strconv.Itoa(cleo), "time_role", "4"))
	if _, err := named.BookTime(t.Context(), other, spent(20)); err != nil || len(s.Entries(other)) != 1 || s.Entries(other)[0].Resource != cleo {
		t.Errorf("%+v, %v", s.Entries(other), err)
	}
	for name, tt := range map[string]struct {
		ticket  string
		minutes int64
		kind    ticket.TroubleKind
	}{"more than a day": {id, 24*60 + 1, ticket.Rejected}, "none": {id, 0, ticket.Rejected}, "no such ticket": {"99999", 5, ticket.Gone}, "no number": {"a/b", 5, ticket.Gone}} {
		for _, one := range []ticket.Timer{timer, named} {
			if _, err := one.BookTime(t.Context(), tt.ticket, spent(tt.minutes)); ticket.TroubleOf(err) != tt.kind {
				t.Errorf("%s: %v; want %s", name, err, tt.kind)
			}
		}
	}
	wrong, _ := ticket.As[ticket.Timer](connect(t, url, "time_resource", strconv.Itoa(cleo), "time_role", "8"))
	if _, err := wrong.BookTime(t.Context(), id, spent(20)); ticket.TroubleOf(err) != ticket.Rejected || !strings.Contains(err.Error(), "combination") {
		t.Errorf("a role that the resource does not have: %v", err)
	}
	s.Set(sim.Switches{NoNotes: true})
	if _, err := timer.BookTime(t.Context(), id, spent(20)); ticket.TroubleOf(err) != ticket.Forbidden {
		t.Errorf("without the right: %v", err)
	}
}

func TestTheAnswerAboutTimeIsLost(t *testing.T) {
	s, url := serve(t, sim.Switches{LoseAnswers: 1})
	id := s.AddTicket(s.AddCompany("Aviary", 1), "Printer")
	s.Assign(id, s.AddResource("bree", "", 8))
	timer, _ := ticket.As[ticket.Timer](connect(t, url))
	if _, err := timer.BookTime(t.Context(), id, spent(20)); ticket.TroubleOf(err) != ticket.Doubtful {
		t.Errorf("%v; want doubt", err)
	}
	if refs, err := timer.Times(t.Context(), id, "jitney:g1:time:1"); err != nil || len(refs) != 1 {
		t.Errorf("%+v, %v", refs, err)
	}
}

func TestStatusAfterAnAccess(t *testing.T) {
	s, url := serve(t, sim.Switches{TwoWaiting: true})
	id := s.AddTicket(s.AddCompany("Aviary", 1), "Printer")
	sys := connect(t, url)
	mover, ok := ticket.As[ticket.Mover](sys)
	if !ok {
		t.Fatal("it sets no status")
	}
	for _, status := range []string{"Nonsense", "Waiting", ""} {
		if err := mover.SetStatus(t.Context(), id, status); ticket.TroubleOf(err) != ticket.Rejected || !strings.Contains(err.Error(), "called") {
			t.Errorf("%q: %v", status, err)
		}
	}
	if err := mover.SetStatus(t.Context(), "99999", "Complete"); ticket.TroubleOf(err) != ticket.Gone {
		t.Errorf("no such ticket: %v", err)
	}
	s.Set(sim.Switches{LoseAnswers: 1})
	if err := mover.SetStatus(t.Context(), id, "complete"); ticket.TroubleOf(err) != ticket.Doubtful {
		t.Errorf("the answer is lost: %v", err)
	}
	for range 2 {
		if err := mover.SetStatus(t.Context(), id, " complete"); err != nil {
			t.Error(err)
		}
	}
	if found, err := sys.Find(t.Context(), id); err != nil || found[id].Status != "Complete" || found[id].Open {
		t.Errorf("%+v, %v", found, err)
	}
	s.Set(sim.Switches{KeepStatus: true})
	if err := mover.SetStatus(t.Context(), id, "New"); ticket.TroubleOf(err) != ticket.Rejected {
		t.Errorf("it stays as it was: %v", err)
	}
}

func TestAssigneesHaveNames(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a := s.AddCompany("Aviary", 1)
	one, two, three, none := s.AddTicket(a, "1"), s.AddTicket(a, "2"), s.AddTicket(a, "3"), s.AddTicket(a, "4")
	s.Assign(one, s.AddResource("bree", "Bree@aviary.example", 8))
	s.Assign(two, s.AddResource("cs", "cleo@aviary.example", 8))
	s.Assign(three, 4711)
	sys := connect(t, url)
	want := map[string]string{one: "bree", two: "cleo@aviary.example", three: "4711", none: ""}
	for range 3 {
		found, err := sys.Find(t.Context(), one, two, three, none)
		for id, name := range want {
			if err != nil || found[id].Assignee != name {
				t.Errorf("%s: %q, %v; want %q", id, found[id].Assignee, err, name)
			}
		}
	}
	before := s.Calls()
	if page, err := sys.Tickets(t.Context(), ticket.Query{Company: a}); err != nil || len(page.Tickets) != 4 || page.Tickets[3].Assignee != "bree" || s.Calls()-before != 1 {
		t.Errorf("%+v, %v, %d calls; want one", page, err, s.Calls()-before)
	}
	s.Set(sim.Switches{Hidden: true})
	if found, err := connect(t, url).Find(t.Context(), one); err != nil || found[one].Assignee == "bree" || found[one].Assignee == "" {
		t.Errorf("without the right: %+v, %v", found, err)
	}
}

func TestWhoTimeIsForCanBeChosen(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	s.AddResource("bree", "bree@aviary.example", 8)
	picker := connect(t, url).(ticket.Picker)
	for _, field := range []string{"time_resource", "time_role"} {
		if all, err := picker.Options(t.Context(), field); err != nil || len(all) != 1 {
			t.Errorf("%s: %+v, %v", field, all, err)
		}
	}
}
