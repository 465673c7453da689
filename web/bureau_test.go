package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/ticket"
)

// memBureaus keeps connected ticket systems.
type memBureaus struct {
	connections map[string]access.Connection
	secrets     map[string]map[string][]byte
	companies   []access.Company
	mappings    []access.Mapping
	chosen      map[string]string
}

func newMemBureaus() *memBureaus {
	return &memBureaus{connections: map[string]access.Connection{}, secrets: map[string]map[string][]byte{}, chosen: map[string]string{}}
}

func (m *memBureaus) Connection(_ context.Context, id string) (access.Connection, error) {
	c, ok := m.connections[id]
	if !ok {
		return c, &access.Error{Kind: access.NotFound, Text: "No such thing."}
	}
	return c, nil
}

func (m *memBureaus) Connections(context.Context) (all []access.Connection, err error) {
	for _, c := range m.connections {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b access.Connection) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (m *memBureaus) SaveConnection(_ context.Context, c access.Connection, secrets map[string][]byte, _ ...access.Event) (access.Connection, error) {
	c.Version++
	m.connections[c.ID] = c
	if m.secrets[c.ID] == nil {
		m.secrets[c.ID] = map[string][]byte{}
	}
	for name, box := range secrets {
		m.secrets[c.ID][name] = box
	}
	return c, nil
}

func (m *memBureaus) MoveConnection(ctx context.Context, c access.Connection, secrets map[string][]byte, events ...access.Event) (access.Connection, error) {
	return m.SaveConnection(ctx, c, secrets, events...)
}

func (m *memBureaus) ConnectionSecrets(_ context.Context, id string) (map[string][]byte, error) {
	return m.secrets[id], nil
}

func (m *memBureaus) Companies(context.Context, string) ([]access.Company, error) {
	return m.companies, nil
}

func (m *memBureaus) SetCompanies(_ context.Context, _ string, all []access.Company, _ ...access.Event) error {
	for i := range all {
		all[i].SeenAt = time.Now()
	}
	m.companies = all
	return nil
}

func (m *memBureaus) Mappings(context.Context, string) ([]access.Mapping, error) {
	return m.mappings, nil
}

func (m *memBureaus) SetMapping(_ context.Context, n access.Mapping, _ ...access.Event) error {
	m.mappings = slices.DeleteFunc(m.mappings, func(o access.Mapping) bool { return o.Customer == n.Customer })
	if n.Company != "" {
		m.mappings = append(m.mappings, n)
	}
	return nil
}

func (m *memBureaus) CustomerDesk(_ context.Context, customer string) (string, error) {
	return m.chosen[customer], nil
}

func (m *memBureaus) SetCustomerDesk(_ context.Context, customer, connection string, _ ...access.Event) error {
	m.chosen[customer] = connection
	return nil
}

// bureauSystem is a ticket system that knows a few companies.
type bureauSystem struct{ deskSystem }

func (bureauSystem) Companies(context.Context) ([]ticket.Company, error) {
	return []ticket.Company{{ID: "11", Name: "Aviary Foods Ltd."}, {ID: "12", Name: "<b>Newcomer</b>"}}, nil
}

func (bureauSystem) Check(context.Context) ([]access.Finding, error) {
	return []access.Finding{{Level: "ok", What: "We are “jitney” there."}, {Level: "warning", What: "The queue Billing cannot be seen.", Fix: "Give the right ShowTicket."}}, nil
}

func bureauKind() ticket.Kind {
	return ticket.Kind{Name: "bureau", Title: "Request Bureau", Company: "queue", Fields: []ticket.Field{
		{Name: "url", Title: "Address", Required: true, Example: "https://tickets.example", Help: "Where people sign in."},
		{Name: "token", Title: "Token", Required: true, Secret: true, Help: "Made under Preferences."},
		{Name: "outcome", Title: "Outcome", Picked: true}, {Name: "closed", Title: "Closed", Picked: true, Many: true}}}
}

func (w *world) openBureau(context.Context, string) (ticket.System, error) {
	return bureauSystem{deskSystem{w}}, nil
}

func TestConnectingATicketSystem(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.ask(t, ada, "/ticket-systems", nil).must(t, http.StatusOK, "No ticket system is connected", "Request Bureau")
	checkPage(t, "new", w.ask(t, ada, "/ticket-systems/new?kind=bureau", nil).must(t, http.StatusOK, "Where people sign in."))
	w.ask(t, maya, "/ticket-systems", nil).must(t, http.StatusNotFound)
	w.ask(t, ada, "/ticket-systems", url.Values{"kind": {"bureau"}, "field-url": {"https://tickets.example"}}).must(t, http.StatusUnprocessableEntity, "Token is required.", `value="https://tickets.example"`)
	w.ask(t, ada, "/ticket-systems", url.Values{"kind": {"bureau"}, "field-url": {"https://tickets.example"}, "field-token": {"abc"}}).must(t, http.StatusSeeOther)
	id := w.bureaus.only(t)
	page := "/ticket-systems/" + id
	w.ask(t, ada, page+"/check", url.Values{}).must(t, http.StatusSeeOther)
	w.ask(t, ada, page+"/refresh", url.Values{}).must(t, http.StatusSeeOther)
	a := w.ask(t, ada, page, nil).must(t, http.StatusOK, "The queue Billing cannot be seen.", "Suggested, not saved yet", "&lt;b&gt;Newcomer&lt;/b&gt;", "Set; leave empty to keep it")
	checkPage(t, page, a)
	if strings.Contains(a.body, "abc") {
		t.Error("the token is on the page")
	}
	w.ask(t, ada, page+"/map", url.Values{"customer-aviary": {"11"}}).must(t, http.StatusSeeOther)
	w.ask(t, ada, page+"/adopt", url.Values{"company": {"12"}}).must(t, http.StatusSeeOther)
	w.ask(t, ada, page, nil).must(t, http.StatusOK, "2 mapped")
	w.ask(t, ada, "/ticket-systems/default", url.Values{"id": {id}}).must(t, http.StatusSeeOther)
	checkPage(t, "list", w.ask(t, ada, "/ticket-systems", nil).must(t, http.StatusOK, "Everybody without another choice", "worth a look"))
	w.ask(t, ada, "/customers/aviary/ticket-system", url.Values{"connection": {id}}).must(t, http.StatusSeeOther)
	w.ask(t, ada, "/customers/aviary", nil).must(t, http.StatusOK, "Tickets of this customer are in", "What all use: Request Bureau")
	w.ask(t, ada, page+"/map", url.Values{"customer-aviary": {"99"}}).must(t, http.StatusUnprocessableEntity, "Choose one from the list.")
	w.ask(t, otto, page, nil).must(t, http.StatusOK)
	w.ask(t, otto, page+"/check", url.Values{}).must(t, http.StatusNotFound)
}

// only is the ID of the one connection.
func (m *memBureaus) only(t *testing.T) string {
	t.Helper()
	all, _ := m.Connections(t.Context())
	if len(all) != 1 {
		t.Fatalf("%d connections", len(all))
	}
	return all[0].ID
}
