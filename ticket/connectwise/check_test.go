package connectwise_test

import (
	"strings"
	"testing"

	"jitney/access"
	sim "jitney/sim/connectwise"
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
	s.AddCompany("A")
	s.Hide(s.AddBoard("Secret"))
	said := check(t, connect(t, url))
	for _, want := range []string{"ok: ConnectWise PSA v2025.1.100 answers, signed in to aviary_msp with the API key PublicKey0001", "1 companies", "1 service boards can be seen: Service Desk.",
		">Closed, Cancelled", "Internal Analysis", "without encryption", "info: No time can be booked, for the settings name no member", "A ticket gets a status of its board"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in\n%s", want, said)
		}
	}
	if strings.Contains(said, "Secret") || strings.Contains(said, "error:") {
		t.Errorf("said\n%s", said)
	}
	if said = check(t, connect(t, url, "note", "discussion (customers see it)")); !strings.Contains(said, "warning: Notes go to the discussion") {
		t.Errorf("said\n%s", said)
	}
	if said = check(t, connect(t, url, "private_key", "wrong")); !strings.Contains(said, "error: ConnectWise PSA does not accept the credentials") {
		t.Errorf("said\n%s", said)
	}
	if said = check(t, connect(t, url, "time_member", sim.Member)); !strings.Contains(said, "time is booked for the member "+sim.Member) {
		t.Errorf("said\n%s", said)
	}
	s.Set(sim.Switches{NoTime: true})
	if said = check(t, connect(t, url, "time_member", sim.Member)); !strings.Contains(said, "warning: No time can be booked, for entries of time cannot be read.") {
		t.Errorf("said\n%s", said)
	}
	s.Hide(1)
	if said = check(t, connect(t, url)); !strings.Contains(said, "error: The API member sees no service board") {
		t.Errorf("said\n%s", said)
	}
}

func TestCompanies(t *testing.T) {
	s, url := serve(t, sim.Switches{})
	for range 501 {
		s.AddCompany("Aviary")
	}
	deleted := s.AddCompany("Gone")
	s.Delete(deleted)
	importer, _ := ticket.As[ticket.Importer](connect(t, url))
	all, err := importer.Companies(t.Context())
	if err != nil || len(all) != 502 || all[501].ID != deleted || !all[501].Closed || all[0].Closed || all[0].Name != "Aviary" {
		t.Errorf("%d companies, the last %+v, %v", len(all), all[len(all)-1], err)
	}
}
