package broker_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/schedule"
	"jitney/secret"
	"jitney/ticket"
)

// A bureau is a ticket system that only knows companies.
type bureau struct {
	ticket.System
	companies []ticket.Company
	down      bool
}

func (b *bureau) Companies(context.Context) ([]ticket.Company, error) {
	if b.down {
		return nil, &ticket.Trouble{Kind: ticket.Down, Text: "The bureau does not answer."}
	}
	return b.companies, nil
}

func (b *bureau) Check(context.Context) ([]access.Finding, error) {
	return []access.Finding{{Level: "ok", What: "The bureau answers."}}, nil
}

func (w *world) ticketKind() ticket.Kind {
	return ticket.Kind{Name: "bureau", Title: "Bureau", Fields: []ticket.Field{{Name: "url", Title: "Address", Required: true, Place: true, Route: true}, {Name: "token", Title: "Token", Secret: true, Required: true}, {Name: "closed", Title: "Closed", Picked: true, Many: true}},
		Valid: func(s ticket.Settings) error {
			if s.Values["url"] == "ftp://x" || s.Secrets["token"].IsZero() {
				return &access.Error{Kind: access.Invalid, Text: "The address must be https.", Hint: "Correct it."}
			}
			return nil
		}}
}

func (w *world) openDesk(context.Context, string) (ticket.System, error) { return &w.bureau, nil }

func TestAConnectionKeepsItsSecretAndIsTried(t *testing.T) {
	w := newWorld(t)
	c := w.Broker.Tickets
	in := broker.ConnectionInput{Kind: "bureau", Values: map[string]string{"url": "https://b.example"}}
	_, err := c.Save(w.ctx, w.admin, in)
	if fields := broker.FieldsOf(err); len(fields) != 1 || fields[0].Field != "token" {
		t.Errorf("without a token: %v", err)
	}
	in.Secrets = map[string]secret.Text{"token": secret.New("bureau-token")}
	in.Values["url"] = "ftp://x"
	if _, err = c.Save(w.ctx, w.admin, in); len(broker.FieldsOf(err)) != 1 {
		t.Errorf("with a wrong address: %v", err)
	}
	in.Values["url"] = "https://b.example"
	if _, err := c.Save(w.ctx, w.maya, in); access.KindOf(err) != access.NotFound {
		t.Errorf("a technician connects: %v", err)
	}
	saved, err := c.Save(w.ctx, w.admin, in)
	check(t, err)
	if saved.Name != "Bureau" {
		t.Errorf("its name is %q", saved.Name)
	}
	in.ID, in.Version, in.Name, in.Secrets = saved.ID, saved.Version, "The bureau", nil // the secret stays
	if saved, err = c.Save(w.ctx, w.admin, in); err != nil || saved.Name != "The bureau" {
		t.Errorf("%+v, %v", saved, err)
	}
	findings, err := c.Check(w.ctx, w.admin, saved.ID)
	page, perr := c.Get(w.ctx, w.admin, saved.ID)
	if err != nil || perr != nil || len(findings) != 1 || len(page.Connection.Findings) != 1 || !page.Secrets["token"] || page.Default {
		t.Errorf("%v, %+v, %v, %v", findings, page, err, perr)
	}
	check(t, c.Choose(w.ctx, w.admin, saved.ID))
	if all, err := c.List(w.ctx, w.admin); err != nil || len(all) != 1 || !all[0].Default {
		t.Errorf("%+v, %v", all, err)
	}
	if err := c.Choose(w.ctx, w.admin, "none"); access.KindOf(err) != access.NotFound {
		t.Errorf("one that is not there was chosen: %v", err)
	}
}

func TestCustomersAreMappedToCompanies(t *testing.T) {
	w := newWorld(t)
	c := w.Broker.Tickets
	saved, err := c.Save(w.ctx, w.admin, broker.ConnectionInput{Kind: "bureau", Values: map[string]string{"url": "https://b.example"}, Secrets: map[string]secret.Text{"token": secret.New("bureau-token")}})
	check(t, err)
	customers, err := w.store.Customers.Customers(w.ctx)
	check(t, err)
	first := customers[0]
	w.bureau.companies = []ticket.Company{{ID: "1", Name: strings.ToUpper(first.Name) + ", Inc."}, {ID: "2", Name: "New Client\x1b[31m"}, {ID: "3", Name: "Gone", Closed: true}, {ID: ""}}
	n, err := c.Refresh(w.ctx, w.admin, saved.ID)
	page, perr := c.Mapping(w.ctx, w.admin, saved.ID)
	if err != nil || perr != nil || n != 2 || len(page.Unmapped) != 2 {
		t.Fatalf("%d read, %+v, %v, %v", n, page.Unmapped, err, perr)
	}
	i := slices.IndexFunc(page.Rows, func(r broker.MappingRow) bool { return r.Customer.ID == first.ID })
	if page.Rows[i].Suggested.ID != "1" {
		t.Errorf("suggested %+v", page.Rows[i])
	}
	check(t, c.Map(w.ctx, w.admin, saved.ID, first.ID, "1"))
	if err := c.Map(w.ctx, w.admin, saved.ID, first.ID, "3"); len(broker.FieldsOf(err)) != 1 {
		t.Errorf("mapped to one that is closed: %v", err)
	}
	if len(customers) > 1 {
		if err := c.Map(w.ctx, w.admin, saved.ID, customers[1].ID, "1"); len(broker.FieldsOf(err)) != 1 {
			t.Errorf("two customers are one company: %v", err)
		}
	}
	made, err := c.Adopt(w.ctx, w.admin, saved.ID, []string{"2", "1", "9"})
	if err != nil || made != 1 {
		t.Errorf("%d adopted, %v", made, err)
	}
	w.bureau.companies = []ticket.Company{{ID: "1", Name: "Renamed"}}
	_, err = c.Refresh(w.ctx, w.admin, saved.ID)
	check(t, err)
	page, err = c.Mapping(w.ctx, w.admin, saved.ID)
	check(t, err)
	troubles := map[string]string{}
	for _, r := range page.Rows {
		troubles[r.Company.ID] = r.Trouble
	}
	if !strings.Contains(troubles["1"], "It was called") || !strings.Contains(troubles["2"], "does not list") {
		t.Errorf("troubles %q", troubles)
	}
	w.bureau.down = true
	if _, err := c.Refresh(w.ctx, w.admin, saved.ID); access.KindOf(err) != access.Unavailable || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("while it is down: %v", err)
	}
}

func TestAConnectionMovesNowhereWhileSomethingHangsOnIt(t *testing.T) {
	w := newWorld(t)
	c := w.Broker.Tickets
	in := broker.ConnectionInput{Kind: "bureau", Values: map[string]string{"url": "https://b.example"}, Secrets: map[string]secret.Text{"token": secret.New("bureau-token")}}
	saved, err := c.Save(w.ctx, w.admin, in)
	check(t, err)
	g := access.Grant{ID: "g1", Policy: w.policy.Name, PolicyVersion: 1, SubmittedAt: time.Now(), ApprovedAt: time.Now(), ApprovedBy: "policy", StartBy: time.Now().Add(time.Hour)}
	g.Request = access.Request{Requester: "maya", Customer: "aviary", Target: "target-aviary", Entitlement: "admin",
		Ticket: access.TicketRef{System: saved.ID, ID: "7", Number: "7"}, Duration: 15 * time.Minute}
	_, err = w.store.Grants.Create(w.ctx, access.NewGrant{Grant: g, Account: access.Account{ID: "a1", Customer: "aviary", Target: "target-aviary", Key: "g1"}})
	check(t, err)
	in.ID, in.Version, in.Secrets = saved.ID, saved.Version, nil
	in.Name = "The bureau"
	w.bureau.companies = []ticket.Company{{ID: "7", Name: "Aviary"}}
	_, err = c.Refresh(w.ctx, w.admin, saved.ID)
	check(t, err)
	check(t, c.Map(w.ctx, w.admin, saved.ID, "aviary", "7"))
	saved, err = c.Save(w.ctx, w.admin, in) // anything else may change
	check(t, err)
	if page, err := c.Mapping(w.ctx, w.admin, saved.ID); err != nil || page.Mapped != 1 || len(page.Companies) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	in.Version, in.Values = saved.Version, map[string]string{"url": "https://other.example"}
	in.Secrets = map[string]secret.Text{"token": secret.New("token-of-the-other")}
	if _, err := c.Save(w.ctx, w.admin, in); len(broker.FieldsOf(err)) != 1 || broker.FieldsOf(err)[0].Field != "url" {
		t.Errorf("it leads to other tickets of the same numbers now: %v", err)
	}
	_, err = w.Access.End(w.ctx, w.maya, "g1")
	check(t, err)
	w.settle()
	if _, err := c.Save(w.ctx, w.admin, in); err == nil {
		t.Error("it moved while the note about the end waits")
	}
	items, err := w.store.Outbox.Claim(w.ctx, schedule.Claim{Owner: "test", For: time.Minute, Limit: 10})
	check(t, err)
	for _, it := range items {
		check(t, w.store.Outbox.Finish(w.ctx, it.Lease, "1", false))
	}
	if _, err = c.Save(w.ctx, w.admin, in); err != nil {
		t.Errorf("nothing hangs on it any more: %v", err)
	}
	if page, err := c.Mapping(w.ctx, w.admin, saved.ID); err != nil || page.Mapped != 0 || len(page.Companies) != 0 { // 7 may be somebody else there
		t.Errorf("customers are companies of the other system: %+v, %v", page, err)
	}
}
