package connectwise_test

import (
	"strings"
	"testing"
	"time"

	sim "jitney/sim/connectwise"
	"jitney/ticket"
)

func spent(minutes int64) ticket.TimeEntry {
	return ticket.TimeEntry{Key: "jitney:g1:time:1", Text: "Access with adm-x, 15 min\n[jitney:g1:time:1]", Minutes: minutes, From: time.Now().Add(-time.Hour), To: time.Now()}
}

func TestTimeIsBooked(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a := s.AddCompany("Aviary")
	id, other := s.AddTicket(a, 1, "Printer"), s.AddTicket(a, 1, "Phone")
	sys := connect(t, url, "time_member", sim.Member, "work_type", "2", "work_role", "5", "billing", "not billed")
	timer, ok := ticket.As[ticket.Timer](sys)
	if !ok {
		t.Fatal("it books no time")
	}
	ref, err := timer.BookTime(t.Context(), id, spent(15))
	if err != nil || ref.ID == "" {
		t.Fatalf("%+v, %v", ref, err)
	}
	all := s.Entries(id)
	if len(all) != 1 || all[0].Hours != 0.25 || !all[0].Analysis || all[0].Discussion || all[0].Mail || all[0].WorkType != 2 || all[0].WorkRole != 5 || all[0].Billable != "DoNotBill" {
		t.Errorf("%+v", all)
	}
	for ticketID, want := range map[string]int{id: 1, other: 0, "x": 0} {
		if refs, err := timer.Times(t.Context(), ticketID, "jitney:g1:time:1"); err != nil || len(refs) != want {
			t.Errorf("%s: %+v, %v", ticketID, refs, err)
		}
	}
	if refs, err := sys.Notes(t.Context(), id, "jitney:g1:time:1"); err != nil || len(refs) != 0 {
		t.Errorf("an entry of time is taken for a note: %+v, %v", refs, err)
	}
}

func TestTimeIsRefusedWithWords(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a := s.AddCompany("Aviary")
	id, held := s.AddTicket(a, 1, "Printer"), s.AddTicket(a, 1, "Phone")
	s.SetStatus(held, "On Hold")
	tests := []struct {
		name, ticket, member string
		minutes              int64
		kind                 ticket.TroubleKind
		words                string
	}{
		{"nobody to book it for", id, "", 15, ticket.Rejected, "for which member"},
		{"a member who is none", id, "nobody", 15, ticket.Rejected, "invalid"},
		{"more than a day", id, sim.Member, 25 * 60, ticket.Rejected, "invalid"},
		{"a status that allows no time", held, sim.Member, 15, ticket.Rejected, "not allowed for the status"},
		{"no such ticket", "77777", sim.Member, 15, ticket.Gone, "ticket"},
		{"no number", "a/b", sim.Member, 15, ticket.Gone, "ticket"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			timer, _ := ticket.As[ticket.Timer](connect(t, url, "time_member", tt.member))
			_, err := timer.BookTime(t.Context(), tt.ticket, spent(tt.minutes))
			if ticket.TroubleOf(err) != tt.kind || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("%v; want %s with %q", err, tt.kind, tt.words)
			}
		})
	}
}

func TestTheAnswerAboutTimeIsLost(t *testing.T) {
	s, url := serve(t, sim.Switches{LoseAnswers: 1})
	id := s.AddTicket(s.AddCompany("Aviary"), 1, "Printer")
	timer, _ := ticket.As[ticket.Timer](connect(t, url, "time_member", sim.Member))
	if _, err := timer.BookTime(t.Context(), id, spent(15)); ticket.TroubleOf(err) != ticket.Doubtful {
		t.Errorf("%v; want doubt", err)
	}
	if refs, err := timer.Times(t.Context(), id, "jitney:g1:time:1"); err != nil || len(refs) != 1 {
		t.Errorf("%+v, %v", refs, err)
	}
}

func TestStatusAfterAnAccess(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	a := s.AddCompany("Aviary")
	s.AddBoard("Projects")
	id := s.AddTicket(a, 2, "Printer")
	mover, ok := ticket.As[ticket.Mover](connect(t, url))
	if !ok {
		t.Fatal("it sets no status")
	}
	for status, kind := range map[string]ticket.TroubleKind{"Nonsense": ticket.Rejected, "Waiting": ticket.Rejected, "": ticket.Rejected} {
		if err := mover.SetStatus(t.Context(), id, status); ticket.TroubleOf(err) != kind || !strings.Contains(err.Error(), "Projects") {
			t.Errorf("%q: %v", status, err)
		}
	}
	for range 2 {
		if err := mover.SetStatus(t.Context(), id, " in progress"); err != nil || s.Status(id) != "In Progress" {
			t.Errorf("%s: %v", s.Status(id), err)
		}
	}
	if err := mover.SetStatus(t.Context(), "77777", "New"); ticket.TroubleOf(err) != ticket.Gone {
		t.Errorf("no such ticket: %v", err)
	}
	s.Set(sim.Switches{LoseAnswers: 1})
	if err := mover.SetStatus(t.Context(), id, ">Closed"); ticket.TroubleOf(err) != ticket.Doubtful {
		t.Errorf("the answer is lost: %v", err)
	}
	if err := mover.SetStatus(t.Context(), id, ">Closed"); err != nil || s.Status(id) != ">Closed" {
		t.Errorf("%s: %v", s.Status(id), err)
	}
	s.Set(sim.Switches{KeepStatus: true})
	if err := mover.SetStatus(t.Context(), id, "New"); ticket.TroubleOf(err) != ticket.Rejected {
		t.Errorf("it stays as it was: %v", err)
	}
	s.Set(sim.Switches{NoNotes: true})
	if err := mover.SetStatus(t.Context(), id, "New"); ticket.TroubleOf(err) != ticket.Forbidden {
		t.Errorf("without the right: %v", err)
	}
}

func TestAStatusThatIsThereTwiceIsRefused(t *testing.T) {
	s, url := serve(t, sim.Switches{TwoNew: true})
	id := s.AddTicket(s.AddCompany("Aviary"), s.AddBoard("Projects"), "Printer")
	s.SetStatus(id, "In Progress")
	mover, _ := ticket.As[ticket.Mover](connect(t, url))
	if err := mover.SetStatus(t.Context(), id, "new"); ticket.TroubleOf(err) != ticket.Rejected || !strings.Contains(err.Error(), "Projects of ConnectWise PSA has 2 statuses") || s.Status(id) != "In Progress" {
		t.Errorf("%s: %v", s.Status(id), err)
	}
}

func TestWorkTypesCanBeChosen(t *testing.T) {
	_, url := serve(t, sim.Switches{})
	picker := connect(t, url).(ticket.Picker)
	for field, want := range map[string]int{"work_type": 2, "work_role": 1, "url": 0} {
		if all, err := picker.Options(t.Context(), field); err != nil || len(all) != want {
			t.Errorf("%s: %+v, %v", field, all, err)
		}
	}
}
