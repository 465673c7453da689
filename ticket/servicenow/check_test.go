package servicenow_test

import (
	"fmt"
	"strings"
	"testing"

	sim "jitney/sim/servicenow"
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
	id := s.AddTicket(s.AddCompany("A"), "Printer")
	s.Fill(id, 1, "x")
	tests := []struct {
		name string
		sw   sim.Switches
		more []string
		want []string
	}{
		{"as it ships", sim.Switches{}, nil, []string{"ok: ServiceNow answers, signed in as Jitney (jitney.api).", "warning: ServiceNow leaves out conditions", "glide.invalid_query.returns_no_rows", "info: 1 companies",
			"info: Notes are work notes", "read back from the journal", "in the states Resolved, Closed, Canceled.", "1 New, 3 On Hold", "without encryption", "a ticket gets one of these states", "Time is not booked"}},
		{"an account that sees no users", sim.Switches{NoUsers: true}, nil, []string{"ok: ServiceNow answers, signed in as jitney.api."}},
		{"a field that tickets do not have", sim.Switches{NoCompany: true}, nil, []string{"error: Tickets have no field company"}},
		{"a journal that is not seen", sim.Switches{JournalHidden: true}, nil, []string{"warning: The account sees no row of the journal, so notes are read back from the ticket."}},
		{"notes that are not seen", sim.Switches{JournalForbidden: true, NotesHidden: true}, nil, []string{"error: The account sees no notes, so none can be written safely"}},
		{"comments", sim.Switches{}, []string{"notes", "comments (customers see them)"}, []string{"warning: Notes are comments"}},
		{"closed states", sim.Switches{}, []string{"closed", "3"}, []string{"in the states On Hold."}},
		{"a state that is not there", sim.Switches{}, []string{"closed", "77"}, []string{"error: The closed state 77 does not exist"}},
		{"no choices", sim.Switches{NoChoices: true}, nil, []string{"warning: ServiceNow does not tell the account which states there are", "6, 7, 8. None can be set"}},
		{"a wrong password", sim.Switches{}, []string{"password", "wrong"}, []string{"error: ServiceNow does not accept the credentials"}},
		{"a wrong client", sim.Switches{}, []string{"client_id", "x", "client_secret", "y"}, []string{"error: ServiceNow does not accept the client ID"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.Set(tt.sw)
			said := check(t, connect(t, url, tt.more...))
			for _, want := range tt.want {
				if !strings.Contains(said, want) {
					t.Errorf("%q is missing in\n%s", want, said)
				}
			}
		})
	}
	t.Run("an instance without a ticket", func(t *testing.T) {
		_, url := serve(t, sim.Switches{})
		said := check(t, connect(t, url))
		for _, want := range []string{"warning: The account sees no ticket in incident", "error: The account sees no company", "warning: The account sees no note anywhere"} {
			if !strings.Contains(said, want) {
				t.Errorf("%q is missing in\n%s", want, said)
			}
		}
	})
	t.Run("an instance that heeds all conditions", func(t *testing.T) {
		s.Set(sim.Switches{Strict: true})
		if said := check(t, connect(t, url)); strings.Contains(said, "leaves out") || strings.Contains(said, "error") {
			t.Error(said)
		}
	})
}

func TestCompaniesAndOptions(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	for range 1100 {
		s.AddCompany("Aviary")
		s.AddVendor("Maker")
	}
	for _, sw := range []sim.Switches{{}, {NoCounts: true}} {
		s.Set(sw)
		importer, _ := ticket.As[ticket.Importer](connect(t, url))
		if all, err := importer.Companies(t.Context()); err != nil || len(all) != 1100 {
			t.Errorf("%+v: %d companies, %v", sw, len(all), err)
		}
	}
	picker, _ := ticket.As[ticket.Picker](connect(t, url))
	for field, want := range map[string]string{"closed": "[{1 New} {3 On Hold} {6 Resolved} {7 Closed} {8 Canceled}]", "url": "[]"} {
		if all, err := picker.Options(t.Context(), field); err != nil || fmt.Sprint(all) != want {
			t.Errorf("%s: %v, %v; want %s", field, all, err, want)
		}
	}
}
