package ticket_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"jitney/secret"
	simautotask "jitney/sim/autotask"
	simconnectwise "jitney/sim/connectwise"
	simfreshdesk "jitney/sim/freshdesk"
	simhalo "jitney/sim/halo"
	simkaseya "jitney/sim/kaseyabms"
	simredmine "jitney/sim/redmine"
	simrt "jitney/sim/rt"
	simservicenow "jitney/sim/servicenow"
	"jitney/ticket"
	"jitney/ticket/autotask"
	"jitney/ticket/connectwise"
	"jitney/ticket/freshdesk"
	"jitney/ticket/halo"
	"jitney/ticket/kaseyabms"
	"jitney/ticket/redmine"
	"jitney/ticket/rt"
	"jitney/ticket/servicenow"
)

// A trial is a simulated desk with the connector to it, for what every desk has
// to stand.
type trial struct {
	sim     http.Handler
	kind    ticket.Kind
	values  map[string]string
	secrets map[string]secret.Text

	company func(name string) string // makes one, and reports its id
	add     func(company, title string) string
	close   func(id string)
	remove  func(id string)
	move    func(id, company string)
	merge   func(id, into string) // nil if the system knows no such thing, or does not tell
	leak    func()                // from now on, lists hold tickets of everybody; nil if its own tests have that
}

// open connects to the desk.
func (d trial) open(t *testing.T) ticket.System {
	t.Helper()
	server := httptest.NewServer(d.sim)
	t.Cleanup(server.Close)
	return d.at(t, server.URL)
}

// at connects to the desk by another address.
func (d trial) at(t *testing.T, url string) ticket.System {
	t.Helper()
	values := map[string]string{"url": url}
	for k, v := range d.values {
		values[k] = v
	}
	sys, err := d.kind.Open(t.Context(), ticket.Settings{Values: values, Secrets: d.secrets})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c, ok := sys.(interface{ Close() error }); ok {
			_ = c.Close()
		}
		if o, ok := d.sim.(interface{ Odd() []string }); ok {
			for _, odd := range o.Odd() {
				t.Errorf("the desk was asked: %s", odd)
			}
		}
	})
	return sys
}

var trialKey = secret.New("Key0001")

// trials are all desks, new.
func trials() map[string]trial {
	all := map[string]trial{"ConnectWise PSA": connectwiseTrial(), "Autotask PSA": autotaskTrial(), "HaloPSA": haloTrial(), "Kaseya BMS": kaseyaTrial(),
		"Freshdesk": freshdeskTrial(), "ServiceNow": servicenowTrial(), "Redmine": redmineTrial()}
	all["Request Tracker by queue"], all["Request Tracker by field"] = rtTrial(false), rtTrial(true)
	return all
}

func connectwiseTrial() trial {
	s := simconnectwise.New(simconnectwise.Switches{}, trialKey)
	return trial{sim: s, kind: connectwise.Kind(here), values: map[string]string{"company": simconnectwise.Company, "public_key": simconnectwise.PublicKey},
		secrets: map[string]secret.Text{"private_key": trialKey, "client_id": secret.New(simconnectwise.ClientID)},
		company: s.AddCompany, add: func(company, title string) string { return s.AddTicket(company, 1, title) },
		close: s.Close, remove: s.Remove, move: s.Transfer, merge: s.Merge, leak: func() { s.Set(simconnectwise.Switches{IgnoreCompany: true}) }}
}

func autotaskTrial() trial {
	s := simautotask.New(simautotask.Switches{}, trialKey)
	return trial{sim: s, kind: autotask.Kind(here), values: map[string]string{"user": simautotask.User}, secrets: map[string]secret.Text{"secret": trialKey, "code": secret.New(simautotask.Code)},
		company: func(name string) string { return s.AddCompany(name, 1) }, add: s.AddTicket, close: s.Complete, remove: s.Remove, move: s.Transfer,
		leak: func() { s.Set(simautotask.Switches{IgnoreCompany: true}) }}
}

func haloTrial() trial {
	s := simhalo.New(simhalo.Switches{}, trialKey)
	return trial{sim: s, kind: halo.Kind(here), values: map[string]string{"tenant": simhalo.Tenant, "client_id": simhalo.ClientID}, secrets: map[string]secret.Text{"client_secret": trialKey},
		company: s.AddClient, add: s.AddTicket, close: s.Close, remove: s.Remove, move: s.Transfer, leak: func() { s.Set(simhalo.Switches{IgnoreClient: true}) }}
}

func kaseyaTrial() trial {
	s := simkaseya.New(simkaseya.Switches{}, trialKey)
	return trial{sim: s, kind: kaseyabms.Kind(here), values: map[string]string{"company": simkaseya.Tenant, "user": simkaseya.User, "note_type": "3"}, secrets: map[string]secret.Text{"password": trialKey},
		company: s.AddAccount, add: s.AddTicket, close: s.Close, remove: s.Remove, move: s.Transfer, leak: func() { s.Set(simkaseya.Switches{IgnoreAccount: true}) }}
}

func freshdeskTrial() trial {
	s := simfreshdesk.New(simfreshdesk.Switches{}, trialKey)
	return trial{sim: s, kind: freshdesk.Kind(here), secrets: map[string]secret.Text{"key": trialKey},
		company: s.AddCompany, add: s.AddTicket, close: func(id string) { s.SetStatus(id, simfreshdesk.StatusClosed) }, remove: s.Remove, move: s.Transfer,
		leak: func() { s.Set(simfreshdesk.Switches{IgnoreCompany: true}) }}
}

func servicenowTrial() trial {
	s := simservicenow.New(simservicenow.Switches{}, trialKey)
	return trial{sim: s, kind: servicenow.Kind(here), values: map[string]string{"user": simservicenow.User}, secrets: map[string]secret.Text{"password": trialKey},
		company: s.AddCompany, add: s.AddTicket, close: s.Close, remove: s.Remove, move: s.Transfer}
}

func redmineTrial() trial {
	s := simredmine.New(simredmine.Switches{})
	// A key sees the projects that are there when it is made.
	first, second := s.AddProject("First", ""), s.AddProject("Second", "")
	waiting := []string{first, second}
	key := s.Key("jitney", []string{simredmine.AddNotes, simredmine.PrivateNotes}, first, second)
	return trial{sim: s, kind: redmine.Kind(here), secrets: map[string]secret.Text{"key": secret.New(key)},
		company: func(string) (id string) { id, waiting = waiting[0], waiting[1:]; return id },
		add:     s.AddIssue, close: func(id string) { s.SetStatus(id, "Closed") }, remove: s.Delete, move: s.Move,
		leak: func() { s.Set(simredmine.Switches{IgnoreCompany: true}) }}
}

// rtTrial is Request Tracker, where a customer is a queue or the value of a
// custom field, which is its name.
func rtTrial(byField bool) trial {
	s := simrt.New(simrt.Switches{})
	d := trial{sim: s, kind: rt.Kind(here), values: map[string]string{"key_field": simrt.KeyField}, secrets: map[string]secret.Text{"token": secret.New(s.Token("jitney", true))},
		company: s.AddQueue, add: func(company, title string) string { return s.AddTicket(company, title, "") },
		close: func(id string) { s.SetStatus(id, "resolved") }, remove: func(id string) { s.SetStatus(id, "deleted") }, move: s.Move, merge: s.Merge,
		leak: func() { s.Set(simrt.Switches{IgnoreCompany: true}) }}
	if byField {
		queue := s.AddQueue("All")
		d.values["company"], d.values["company_field"] = "custom field", simrt.CompanyField
		d.company = func(name string) string { return name }
		d.add = func(company, title string) string { return s.AddTicket(queue, title, company) }
		d.move = nil
	}
	return d
}

// letters is text that is longer than any id.
func letters(n int) string { return strings.Repeat("a", n) }
