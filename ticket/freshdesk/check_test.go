package freshdesk_test

import (
	"fmt"
	"strings"
	"testing"

	sim "jitney/sim/freshdesk"
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
	s.AddCompany("A")
	tests := []struct {
		name string
		sw   sim.Switches
		more []string
		want []string
	}{
		{"as it should be", sim.Switches{}, nil, []string{"ok: Freshdesk answers, signed in as the agent Jitney (jitney@aviary.example).", "tickets of all groups", "info: 1 companies can be seen.", "info: Notes are private",
			"count as closed: Resolved, Closed.", "2 Open, 3 Pending, 4 Resolved, 5 Closed, 8 Billed", "without encryption", "info: Where a policy says so, time is booked for this agent, not billable."}},
		{"time that is billed", sim.Switches{}, []string{"billable", "billable"}, []string{"time is booked for this agent, billable."}},
		{"a plan without time", sim.Switches{NoTime: true}, nil, []string{"warning: No time can be booked, for entries of time cannot be read."}},
		{"closed statuses", sim.Switches{}, []string{"closed", "8"}, []string{"count as closed: Resolved, Closed, Billed."}},
		{"a status that is not there", sim.Switches{}, []string{"closed", "77"}, []string{"error: The closed status 77 does not exist"}},
		{"public notes", sim.Switches{}, []string{"notes", "public (customers see them)"}, []string{"warning: Notes are public"}},
		{"an agent who sees some groups only", sim.Switches{Scoped: true}, nil, []string{"warning: The agent sees only the tickets of its own groups"}},
		{"no list of statuses", sim.Switches{NoFields: true}, nil, []string{"warning: Freshdesk does not tell the agent which statuses there are"}},
		{"a suspended account", sim.Switches{Suspended: true}, nil, []string{"error: Freshdesk lets this account do nothing: account_suspended."}},
		{"a wrong key", sim.Switches{}, []string{"key", "wrong"}, []string{"error: Freshdesk does not accept the credentials"}},
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
}

func TestCompaniesAndOptions(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	for range 250 {
		s.AddCompany("Aviary")
	}
	for _, sw := range []sim.Switches{{}, {PageCap: 30}} {
		s.Set(sw)
		importer, _ := ticket.As[ticket.Importer](connect(t, url))
		if all, err := importer.Companies(t.Context()); err != nil || len(all) != 250 {
			t.Errorf("%+v: %d companies, %v", sw, len(all), err)
		}
	}
	picker, _ := ticket.As[ticket.Picker](connect(t, url))
	for field, want := range map[string]string{"closed": "[{2 Open} {3 Pending} {4 Resolved} {5 Closed} {8 Billed}]", "url": "[]"} {
		if all, err := picker.Options(t.Context(), field); err != nil || fmt.Sprint(all) != want {
			t.Errorf("%s: %v, %v; want %s", field, all, err, want)
		}
	}
}
