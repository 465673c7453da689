package ticket_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jitney/secret"
	simautotask "jitney/sim/autotask"
	simconnectwise "jitney/sim/connectwise"
	simfreshdesk "jitney/sim/freshdesk"
	simhalo "jitney/sim/halo"
	simservicenow "jitney/sim/servicenow"
	"jitney/ticket"
	"jitney/ticket/autotask"
	"jitney/ticket/connectwise"
	"jitney/ticket/freshdesk"
	"jitney/ticket/halo"
	"jitney/ticket/servicenow"
)

// A hosted is a simulated desk of a vendor, and how to connect to it.
type hosted struct {
	name    string
	handler http.Handler
	kind    ticket.Kind
	values  map[string]string
	secrets map[string]secret.Text
	add     func(title string) string
	notes   func(part string) ([]string, bool)
	tickets int
}

func hostedDesks() []hosted {
	key := secret.New("Key0001")
	cw, at, ha := simconnectwise.New(simconnectwise.Switches{}, key), simautotask.New(simautotask.Switches{}, key), simhalo.New(simhalo.Switches{}, key)
	fr, sn := simfreshdesk.New(simfreshdesk.Switches{}, key), simservicenow.New(simservicenow.Switches{}, key)
	a, b, c, d, e := cw.AddCompany("Aviary"), at.AddCompany("Aviary", 1), ha.AddClient("Aviary"), fr.AddCompany("Aviary"), sn.AddCompany("Aviary")
	return []hosted{
		{"ConnectWise PSA", cw, connectwise.Kind(here), map[string]string{"company": simconnectwise.Company, "public_key": simconnectwise.PublicKey},
			map[string]secret.Text{"private_key": key, "client_id": secret.New(simconnectwise.ClientID)}, func(title string) string { return cw.AddTicket(a, 1, title) }, cw.Notes, 40},
		{"Autotask PSA", at, autotask.Kind(here), map[string]string{"user": simautotask.User},
			map[string]secret.Text{"secret": key, "code": secret.New(simautotask.Code)}, func(title string) string { return at.AddTicket(b, title) }, at.Notes, 8},
		{"HaloPSA", ha, halo.Kind(here), map[string]string{"tenant": simhalo.Tenant, "client_id": simhalo.ClientID},
			map[string]secret.Text{"client_secret": key}, func(title string) string { return ha.AddTicket(c, title) }, ha.Notes, 40},
		{"Freshdesk", fr, freshdesk.Kind(here), nil, map[string]secret.Text{"key": key}, func(title string) string { return fr.AddTicket(d, title) }, fr.Notes, 40},
		{"ServiceNow", sn, servicenow.Kind(here), map[string]string{"user": simservicenow.User}, map[string]secret.Text{"password": key},
			func(title string) string { return sn.AddTicket(e, title) }, sn.Notes, 40},
	}
}

func (h hosted) open(t *testing.T, url string) ticket.System {
	t.Helper()
	values := map[string]string{"url": url}
	for k, v := range h.values {
		values[k] = v
	}
	sys, err := h.kind.Open(t.Context(), ticket.Settings{Values: values, Secrets: h.secrets})
	if err != nil {
		t.Fatal(err)
	}
	return sys
}

// TestEachNoteIsThereOnceOnHostedDesks writes 200 notes to each while the
// network loses three of ten answers and delays three of ten requests. It is
// fewer on Autotask, for its connector keeps to some hundred calls at once, and
// the trial looks far more often than the product does.
func TestEachNoteIsThereOnceOnHostedDesks(t *testing.T) {
	t.Parallel()
	writes := func(r *http.Request) bool {
		path := strings.ToLower(r.URL.Path)
		return r.Method == http.MethodPatch || r.Method == http.MethodPost && (strings.HasSuffix(path, "/notes") || strings.HasSuffix(path, "/actions"))
	}
	for _, h := range hostedDesks() {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(h.handler)
			defer srv.Close()
			var tickets []string
			for i := range h.tickets {
				tickets = append(tickets, h.add(fmt.Sprint("Ticket ", i)))
			}
			const late = 200 * time.Millisecond
			l, proxied := newLossy(t, srv.URL, late, writes)
			once(t, l, h.open(t, proxied), h.open(t, srv.URL), tickets, 5)
			if texts, internal := h.notes("[jitney:trial-"); len(texts) != 5*h.tickets || !internal {
				t.Errorf("the desk holds %d notes, internal %v; want %d", len(texts), internal, 5*h.tickets)
			}
		})
	}
}
