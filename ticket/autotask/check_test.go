package autotask_test

import (
	"fmt"
	"strings"
	"testing"

	"jitney/access"
	sim "jitney/sim/autotask"
	"jitney/ticket"
)

func check(t *testing.T, sys ticket.System) string {
	t.Helper()
	checker, _ := ticket.As[ticket.Checker](sys)
	found, err := checker.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return lines(found)
}

func lines(found []access.Finding) string {
	var out strings.Builder
	for _, f := range found {
		out.WriteString(f.Level + ": " + f.What + " " + f.Fix + "\n")
	}
	return out.String()
}

func TestCheck(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	tests := []struct {
		name string
		more []string
		want []string
	}{
		{"found out", nil, []string{"ok: Autotask answers from zone Zone ww1, signed in as " + sim.User, "1 companies", "info: Notes are published to Internal Project Team, as Task Notes.",
			"1 All Autotask Users, 2 Internal Project Team", "with the status Complete.", "1 New, 5 Complete, 21 Invoiced", "without encryption", "time is booked for the resource that a ticket is assigned to"}},
		{"somebody for time", []string{"time_resource", "4", "time_role", "8"}, []string{"time is booked for the resource 4 in the role 8"}},
		{"closed statuses", []string{"closed", "21"}, []string{"with the status Complete, Invoiced."}},
		{"a status that is not there", []string{"closed", "77"}, []string{"error: The closed status 77 of the settings does not exist"}},
		{"notes for all", []string{"publish", "1"}, []string{"warning: Notes are published to All Autotask Users"}},
		{"a choice that is not there", []string{"publish", "99"}, []string{"error: The choice of Publish"}},
		{"a wrong secret", []string{"secret", "wrong"}, []string{"error: Autotask does not accept the credentials"}},
		{"a wrong user", []string{"user", "nobody"}, []string{"error: Autotask does not know the username"}},
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
	for used, want := range map[int]bool{4000: false, 5000: true} {
		s.Set(sim.Switches{Used: used})
		if said := check(t, connect(t, url)); strings.Contains(said, "warning: All integrations together made") != want || want && !strings.Contains(said, "of the 10000 calls") {
			t.Errorf("said\n%s", said)
		}
	}
	s.Set(sim.Switches{NoTime: true})
	if said := check(t, connect(t, url)); !strings.Contains(said, "warning: No time can be booked") {
		t.Errorf("said\n%s", said)
	}
	s.Set(sim.Switches{TwoInside: true})
	if said := check(t, connect(t, url)); !strings.Contains(said, "error: It is not clear which choice of Publish") || !strings.Contains(said, "4 Internal & Co-Managed") {
		t.Errorf("said\n%s", said)
	}
}

func TestCompaniesAndOptions(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	s.AddCompany("Vendor", 7)
	for range 600 {
		s.AddCompany("Aviary", 1)
	}
	retired := s.AddCompany("Retired", 1)
	s.Retire(retired)
	for more, want := range map[string]int{"customers": 602, "companies of every type": 603} {
		importer, _ := ticket.As[ticket.Importer](connect(t, url, "companies", more))
		all, err := importer.Companies(t.Context())
		if err != nil || len(all) != want || all[0].ID != "0" || all[want-1].ID != retired || !all[want-1].Closed || all[1].Closed {
			t.Errorf("%s: %d companies, %v", more, len(all), err)
		}
	}
	picker, _ := ticket.As[ticket.Picker](connect(t, url))
	for field, want := range map[string]string{"publish": "[{1 All Autotask Users} {2 Internal Project Team}]", "note_type": "[{13 Workflow Rule Note} {3 Task Notes}]",
		"closed": "[{1 New} {5 Complete} {21 Invoiced}]", "user": "[]"} {
		if all, err := picker.Options(t.Context(), field); err != nil || fmt.Sprint(all) != want {
			t.Errorf("%s: %v, %v; want %s", field, all, err, want)
		}
	}
}
