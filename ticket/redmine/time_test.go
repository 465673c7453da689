package redmine_test

import (
	"strings"
	"testing"
	"time"

	sim "jitney/sim/redmine"
	"jitney/ticket"
)

func spent(minutes int64) ticket.TimeEntry {
	return ticket.TimeEntry{Key: "jitney:g1:time:1", Text: "Access with adm-" + strings.Repeat("ä", 300) + "\n[jitney:g1:time:1]", Minutes: minutes, From: time.Now().Add(-time.Hour), To: time.Now()}
}

func TestTimeIsBooked(t *testing.T) {
	s, url := serve(t)
	ours := s.AddProject("Aviary", "")
	id, other := s.AddIssue(ours, "Printer"), s.AddIssue(ours, "Phone")
	key := s.Key("jitney", append([]string{sim.LogTime, sim.ViewTime}, full...), ours)
	timer, ok := ticket.As[ticket.Timer](connect(t, url, key))
	if !ok {
		t.Fatal("it books no time")
	}
	if ref, err := timer.BookTime(t.Context(), id, spent(20)); err != nil || ref.ID == "" {
		t.Fatalf("%+v, %v", ref, err)
	}
	if all := s.Entries(id); len(all) != 1 || all[0].Hours != 0.33 || all[0].Activity != 9 || !strings.HasSuffix(all[0].Comments, "… [jitney:g1:time:1]") {
		t.Errorf("%+v", all)
	}
	for ticketID, want := range map[string]int{id: 1, other: 0, "99": 0, "x": 0} {
		if refs, err := timer.Times(t.Context(), ticketID, "jitney:g1:time:1"); err != nil || len(refs) != want {
			t.Errorf("%s: %+v, %v", ticketID, refs, err)
		}
	}
	for _, gone := range []string{"99", "a/b"} {
		if _, err := timer.BookTime(t.Context(), gone, spent(20)); ticket.TroubleOf(err) != ticket.Gone {
			t.Errorf("%s: %v", gone, err)
		}
	}
	named, _ := ticket.As[ticket.Timer](connect(t, url, key, "activity", "8"))
	if _, err := named.BookTime(t.Context(), other, spent(20)); err != nil || s.Entries(other)[0].Activity != 8 {
		t.Errorf("%+v, %v", s.Entries(other), err)
	}
	wrong, _ := ticket.As[ticket.Timer](connect(t, url, key, "activity", "7"))
	if _, err := wrong.BookTime(t.Context(), other, spent(20)); ticket.TroubleOf(err) != ticket.Rejected || !strings.Contains(err.Error(), "Activity") {
		t.Errorf("an activity that is none: %v", err)
	}
	for _, rights := range [][]string{full, append([]string{sim.LogTime}, full...), append([]string{sim.ViewTime}, full...)} { // unseen it would be booked again
		weak, _ := ticket.As[ticket.Timer](connect(t, url, s.Key("weak", rights, ours)))
		if _, err := weak.BookTime(t.Context(), other, spent(20)); ticket.TroubleOf(err) != ticket.Forbidden || len(s.Entries(other)) != 1 {
			t.Errorf("with %v: %v", rights, err)
		}
	}
}

func TestTheAnswerAboutTimeIsLost(t *testing.T) {
	s, url := serve(t)
	ours := s.AddProject("Aviary", "")
	id := s.AddIssue(ours, "Printer")
	timer, _ := ticket.As[ticket.Timer](connect(t, url, s.Key("jitney", []string{sim.LogTime, sim.ViewTime}, ours)))
	s.Set(sim.Switches{LoseAnswers: 1})
	if _, err := timer.BookTime(t.Context(), id, spent(20)); ticket.TroubleOf(err) != ticket.Doubtful {
		t.Errorf("%v; want doubt", err)
	}
	if refs, err := timer.Times(t.Context(), id, "jitney:g1:time:1"); err != nil || len(refs) != 1 {
		t.Errorf("%+v, %v", refs, err)
	}
}

func TestActivitiesCanBeChosen(t *testing.T) {
	s, url := serve(t)
	picker := connect(t, url, s.Key("jitney", full, s.AddProject("Aviary", ""))).(ticket.Picker)
	if all, err := picker.Options(t.Context(), "activity"); err != nil || len(all) != 2 || all[1].Title != "Development" {
		t.Errorf("%+v, %v", all, err)
	}
}
