package kaseyabms_test

import (
	"fmt"
	"strings"
	"testing"

	sim "jitney/sim/kaseyabms"
	"jitney/ticket"
)

func check(t *testing.T, sys ticket.System) string {
	t.Helper()
	checker, _ := ticket.As[ticket.Checker](sys)
	found, err := checker.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range found {
		out.WriteString(f.Level + ": " + f.What + " " + f.Fix + "\n")
	}
	return out.String()
}

func TestCheck(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	s.Fill(s.AddTicket(s.AddAccount("A"), "Printer"), 2)
	s.Hide(s.AddAccount("Hidden"))
	tests := []struct {
		name string
		more []string
		want []string
	}{
		{"as it should be", nil, []string{"ok: Kaseya BMS answers, signed in as Jitney (jitney@aviary.example) of Aviary MSP, LLC.", "info: 1 accounts can be seen.", "info: Notes are of the type General.",
			"info: Notes are internal", "with the status Completed.", "1 New, 6 Completed, 31 Billed", "without one-time codes", "without encryption", "a ticket gets one of these statuses", "Time is not booked"}},
		{"closed statuses", []string{"closed", "31"}, []string{"with the status Completed, Billed."}},
		{"a status that is not there", []string{"closed", "77"}, []string{"error: The closed status 77 does not exist"}},
		{"no note type", []string{"note_type", ""}, []string{"warning: No type of notes is chosen", "Types in use: 3 General."}},
		{"a note type that is not in use", []string{"note_type", "9"}, []string{"info: Notes are of the type 9. Types in use: 3 General."}},
		{"public notes", []string{"note", "public (customers see them)"}, []string{"warning: Notes are public"}},
		{"a wrong password", []string{"password", "wrong"}, []string{"error: Kaseya BMS does not accept the company name, the username, the password"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			said := check(t, connect(t, url, tt.more...))
			for _, want := range tt.want {
				if !strings.Contains(said, want) {
					t.Errorf("%q is missing in\n%s", want, said)
				}
			}
		})
	}
	s.Promote()
	if said := check(t, connect(t, url)); !strings.Contains(said, "warning: The user is a system administrator") {
		t.Errorf("of an administrator it says\n%s", said)
	}
}

func TestCompaniesAndOptions(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	for range 250 {
		s.AddAccount("Aviary")
	}
	retired := s.AddAccount("Retired")
	s.Retire(retired)
	s.Hide(s.AddAccount("Hidden"))
	for _, sw := range []sim.Switches{{}, {NoPages: true}, {PageCap: 30}} {
		s.Set(sw)
		importer, _ := ticket.As[ticket.Importer](connect(t, url))
		all, err := importer.Companies(t.Context())
		if err != nil || len(all) != 251 || all[250].ID != retired || !all[250].Closed || all[0].Closed {
			t.Errorf("%+v: %d accounts, %v", sw, len(all), err)
		}
	}
	s.Fill(s.AddTicket(retired, "Printer"), 1)
	picker, _ := ticket.As[ticket.Picker](connect(t, url))
	for field, want := range map[string]string{"note_type": "[{3 General}]", "closed": "[{1 New} {6 Completed} {31 Billed}]", "url": "[]"} {
		if all, err := picker.Options(t.Context(), field); err != nil || fmt.Sprint(all) != want {
			t.Errorf("%s: %v, %v; want %s", field, all, err, want)
		}
	}
}
