package halo_test

import (
	"fmt"
	"strings"
	"testing"

	sim "jitney/sim/halo"
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
	s.AddClient("A")
	s.Hide(s.AddClient("Hidden"))
	tests := []struct {
		name string
		sw   sim.Switches
		more []string
		want []string
	}{
		{"as it should be", sim.Switches{}, nil, []string{"ok: Halo answers, signed in as the agent Jitney.", "info: 1 clients can be seen.", "info: Notes are actions with the outcome Private Note, hidden",
			"with the status Closed.", "1 New, 9 Closed, 31 Billed", "without encryption", "time is booked as a hidden action", "edit:tickets"}},
		{"closed statuses", sim.Switches{}, []string{"closed", "31"}, []string{"with the status Closed, Billed."}},
		{"a status that is not there", sim.Switches{}, []string{"closed", "77"}, []string{"error: The closed status 77 does not exist"}},
		{"an outcome that is not there", sim.Switches{}, []string{"outcome", "Whatever"}, []string{"error: Halo has no outcome called Whatever", "There are: Email User, Private Note."}},
		{"no list of outcomes", sim.Switches{NoOutcomes: true}, nil, []string{"warning: Halo does not tell which outcomes there are"}},
		{"a wrong secret", sim.Switches{}, []string{"client_secret", "wrong"}, []string{"error: Halo does not accept the client ID, the client secret or the instance"}},
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
		s.AddClient("Aviary")
	}
	retired := s.AddClient("Retired")
	s.Retire(retired)
	s.Hide(s.AddClient("Hidden"))
	for _, sw := range []sim.Switches{{}, {NoPages: true}, {PageCap: 30}} {
		s.Set(sw)
		importer, _ := ticket.As[ticket.Importer](connect(t, url))
		all, err := importer.Companies(t.Context())
		if err != nil || len(all) != 251 || all[250].ID != retired || !all[250].Closed || all[0].Closed {
			t.Errorf("%+v: %d clients, %v", sw, len(all), err)
		}
	}
	picker, _ := ticket.As[ticket.Picker](connect(t, url))
	for field, want := range map[string]string{"outcome": "[{Email User Email User} {Private Note Private Note}]", "closed": "[{1 New} {9 Closed} {31 Billed}]", "url": "[]"} {
		if all, err := picker.Options(t.Context(), field); err != nil || fmt.Sprint(all) != want {
			t.Errorf("%s: %v, %v; want %s", field, all, err, want)
		}
	}
}
