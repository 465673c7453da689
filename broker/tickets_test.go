package broker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/ticket"
)

// list lists the tickets of the aviary for maya.
func (w *world) list(q broker.TicketQuery) broker.TicketList {
	w.t.Helper()
	l, err := w.Access.TicketList(w.ctx, w.maya, "aviary", q)
	check(w.t, err)
	return l
}

// How long a form waits is told by a clock that stands still while anybody works.
func TestTheFormListsTicketsWhateverTheirSystemDoes(t *testing.T) {
	synctest.Test(t, listsTickets)
}

func listsTickets(t *testing.T) {
	w := newWorld(t)
	defer time.Sleep(time.Minute) // after which nobody remembers any more that it did not answer
	w.desk.lies = true            // lists closed ones, and those of others
	l := w.list(broker.TicketQuery{})
	if len(l.Tickets) != 1 || l.Tickets[0].ID != "open-aviary" || l.Trouble != "" || l.ReadAt.IsZero() {
		t.Errorf("%+v", l)
	}
	records, err := w.store.Log.Records(w.ctx, access.RecordQuery{Kind: broker.EventForeign})
	if err != nil || len(records) != 1 || !strings.Contains(records[0].Text, "of other companies") {
		t.Errorf("it was not told that the system lists others' tickets: %+v, %v", records, err)
	}
	w.desk.lies = false
	w.desk.put("second", "company-of-aviary", true)
	if w.desk.limit != 1000 { // a system that has to read all of them for any part should do it once
		t.Errorf("asked for %d tickets at a time", w.desk.limit)
	}
	if l = w.list(broker.TicketQuery{}); len(l.Tickets) != 1 || w.desk.asked != 1 {
		t.Errorf("asked again at once: %+v", l)
	}
	w.age("aviary", time.Minute)
	if l = w.list(broker.TicketQuery{Text: "#SECOND"}); len(l.Tickets) != 1 || l.Tickets[0].ID != "second" || l.All != 2 {
		t.Errorf("searched: %+v", l)
	}
	w.age("aviary", time.Minute)
	w.desk.down = true
	if l = w.list(broker.TicketQuery{}); len(l.Tickets) != 2 || !strings.Contains(l.Trouble, "did not answer") || time.Since(l.ReadAt) < time.Minute {
		t.Errorf("while it is down: %+v", l)
	}
	w.desk.down, w.desk.hold = false, make(chan struct{})
	w.desk.put("third", "company-of-aviary", true)
	asked := w.desk.asked
	if l = w.list(broker.TicketQuery{}); w.desk.asked != asked || l.Trouble == "" {
		t.Errorf("it is asked again at once after it did not answer: %+v", l)
	}
	if l = w.list(broker.TicketQuery{Refresh: true}); len(l.Tickets) != 2 || !strings.Contains(l.Trouble, "slow") {
		t.Errorf("while it is slow: %+v", l)
	}
	close(w.desk.hold)
	synctest.Wait()
	if l = w.list(broker.TicketQuery{}); len(l.Tickets) != 3 || l.Trouble != "" { // what comes late is there for the next one
		t.Errorf("after it had answered late: %+v", l)
	}
	if _, err := w.Access.TicketList(w.ctx, w.outsider, "aviary", broker.TicketQuery{}); access.KindOf(err) != access.NotFound {
		t.Errorf("an outsider: %v", err)
	}
}

// TestAListOfTheSettingsBeforeIsNotKept changes the settings of a connection
// while a list is being read with the old ones.
func TestAListOfTheSettingsBeforeIsNotKept(t *testing.T) {
	synctest.Test(t, settingsChange)
}

func settingsChange(t *testing.T) {
	w := newWorld(t)
	one := w.connect()
	w.connected = one.ID
	hold := make(chan struct{})
	w.desk.hold = hold
	read := make(chan error, 1)
	go func() {
		_, err := w.Access.TicketList(w.ctx, w.maya, "aviary", broker.TicketQuery{})
		read <- err
	}()
	synctest.Wait() // for the answer
	_, err := w.Broker.Tickets.Save(w.ctx, w.admin, broker.ConnectionInput{ID: one.ID, Version: one.Version, Values: map[string]string{"url": "https://other.example"},
		Secrets: map[string]secret.Text{"token": secret.New("token-of-the-other")}})
	check(t, err)
	w.desk.mu.Lock()
	w.desk.hold, w.desk.tickets = nil, map[string]ticket.Ticket{}
	w.desk.mu.Unlock()
	w.desk.put("new", "company-of-aviary", true)
	if l := w.list(broker.TicketQuery{}); len(l.Tickets) != 1 || l.Tickets[0].ID != "new" {
		t.Errorf("whoever asks with the new settings waits for the answer to the old ones: %+v", l)
	}
	check(t, w.store.Tickets.DropTicketLists(w.ctx, one.ID))
	close(hold)
	check(t, <-read)
	if l, err := w.store.Tickets.TicketList(w.ctx, one.ID, "company-of-aviary"); err != nil || !l.ReadAt.IsZero() {
		t.Errorf("the list of the settings before is kept: %+v, %v", l, err)
	}
}

// age has the ticket system told its list of a customer that long ago.
func (w *world) age(customer string, d time.Duration) {
	w.t.Helper()
	l, err := w.store.Tickets.TicketList(w.ctx, "paper", "company-of-"+customer)
	check(w.t, err)
	l.ReadAt = l.ReadAt.Add(-d)
	check(w.t, w.store.Tickets.DropTicketLists(w.ctx, "paper"))
	check(w.t, w.store.Tickets.SetTicketList(w.ctx, l))
}

func TestTicketsOnSubmit(t *testing.T) {
	put := func(w *world, id string, change func(*ticket.Ticket)) {
		one := ticket.Ticket{ID: id, Number: "T-" + id, Title: "Ticket", Company: "company-of-aviary", Open: true}
		change(&one)
		w.desk.tickets[id] = one
	}
	yours := func(p *access.Policy) { p.Tickets.Assigned = true }
	tests := []struct {
		name   string
		ticket string
		number string
		set    func(*ticket.Ticket)
		policy func(*access.Policy)
		wrong  string
	}{
		{"an open one", "1", "", nil, nil, ""},
		{"a typed number", "", "#t-1", nil, nil, ""},
		{"a number in the place of the id", "T-1", "", nil, nil, ""},
		{"a number that is not there", "", "T-2", nil, nil, "Choose an open ticket"},
		{"one that is closed", "1", "", func(t *ticket.Ticket) { t.Open = false }, nil, "Ticket T-1 is closed"},
		{"one of another customer", "1", "", func(t *ticket.Ticket) { t.Company = "company-of-kestrel" }, nil, "Choose an open ticket"},
		{"the number of one of another customer", "", "T-1", func(t *ticket.Ticket) { t.Company = "company-of-kestrel" }, nil, "Choose an open ticket"},
		{"an answer about another ticket", "1", "", func(t *ticket.Ticket) { t.ID = "9" }, nil, "Choose an open ticket"},
		{"one merged into an open one", "1", "", func(t *ticket.Ticket) { t.MergedInto = "9" }, nil, ""},
		{"one merged into a closed one", "1", "", func(t *ticket.Ticket) { t.MergedInto, t.Open = "9", false }, nil, "merged into one that is closed"},
		{"assigned by login", "1", "", func(t *ticket.Ticket) { t.Assignee = "Maya" }, yours, ""},
		{"assigned by mail", "1", "", func(t *ticket.Ticket) { t.Assignee = "MAYA@msp.example" }, yours, ""},
		{"assigned by name", "1", "", func(t *ticket.Ticket) { t.Assignee = "Person maya" }, yours, ""},
		{"assigned to another", "1", "", func(t *ticket.Ticket) { t.Assignee = "noor" }, yours, "assigned to noor"},
		{"assigned to nobody", "1", "", func(t *ticket.Ticket) {}, yours, "assigned to nobody"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			put(w, "1", func(one *ticket.Ticket) {
				if tt.set != nil {
					tt.set(one)
				}
			})
			if tt.policy != nil {
				w.change(tt.policy)
			}
			s := w.ask()
			s.Ticket, s.Number = tt.ticket, tt.number
			g, err := w.Access.Submit(w.ctx, w.maya, s)
			switch {
			case tt.wrong == "" && (err != nil || g.Ticket.ID != "1" || g.Ticket.Unverified):
				t.Errorf("%+v, %v", g.Ticket, err)
			case tt.wrong != "" && (len(broker.FieldsOf(err)) != 1 || !strings.Contains(err.Error(), tt.wrong)):
				t.Errorf("error %v, want %q", err, tt.wrong)
			}
		})
	}
}

func TestATypedNumberWillDoOnlyWhereThePolicySaysSo(t *testing.T) {
	synctest.Test(t, typesNumbers)
}

func typesNumbers(t *testing.T) {
	w := newWorld(t)
	w.list(broker.TicketQuery{}) // so that it is known
	w.desk.down = true
	typed, listed := w.ask(), w.ask()
	typed.Ticket, typed.Number = "", "4711"
	for _, s := range []broker.Submission{typed, listed} {
		if _, err := w.Access.Submit(w.ctx, w.maya, s); err == nil || err.Error() != broker.TicketTrouble {
			t.Errorf("without leave: %v", err)
		}
	}
	w.change(func(p *access.Policy) { p.Tickets.Unverified = true })
	if g := w.submit(w.maya, typed); !g.Ticket.Unverified || g.Ticket.ID != "" || g.Ticket.Number != "4711" || g.Ticket.System != "paper" {
		t.Errorf("%+v", g.Ticket)
	}
	g := w.submit(w.maya, listed)
	if !g.Ticket.Unverified || g.Ticket.ID != "open-aviary" {
		t.Errorf("%+v", g.Ticket)
	}
	w.settle()
	w.want(g.ID, access.Active) // also given, while the system does not answer
	unknown := w.ask()
	unknown.Ticket = "never-listed"
	if _, err := w.Access.Submit(w.ctx, w.maya, unknown); err == nil || err.Error() != broker.TicketTrouble {
		t.Errorf("one that was in no list: %v", err)
	}
	p, err := w.Access.Preview(w.ctx, w.maya, typed)
	if err != nil || len(p.Wrong) != 0 || !strings.Contains(p.TicketNote, "not verified") {
		t.Errorf("%+v, %v", p, err)
	}
	w.desk.down = false
	typed.Number = "#open-kestrel"
	if _, err := w.Access.Submit(w.ctx, w.maya, typed); len(broker.FieldsOf(err)) != 1 {
		t.Errorf("once it answers, another customer's: %v", err)
	}
}

func TestAnUnverifiedTicketIsAssignedAsTheListTellsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute)
		for assignee, wrong := range map[string]string{"maya": "", "noor": "is assigned to noor", "": "is assigned to nobody"} {
			w := newWorld(t)
			one := w.desk.tickets["open-aviary"]
			one.Assignee = assignee
			w.desk.tickets["open-aviary"] = one
			w.change(func(p *access.Policy) { p.Tickets.Unverified, p.Tickets.Assigned = true, true })
			w.list(broker.TicketQuery{})
			w.desk.down = true
			g, err := w.Access.Submit(w.ctx, w.maya, w.ask())
			if wrong == "" && (err != nil || !g.Ticket.Unverified) || wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)) {
				t.Errorf("of %q: %+v, %v", assignee, g.Ticket, err)
			}
		}
	})
}

// TestForeignTicketsAreReportedWithTheirConnection has a connection whose
// system lists the tickets of others, again and again.
func TestForeignTicketsAreReportedWithTheirConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.connected = w.connect().ID
		w.desk.lies = true
		for range 2 {
			w.list(broker.TicketQuery{Refresh: true})
			w.list(broker.TicketQuery{Text: "nothing"})
		}
		page, err := w.Broker.Tickets.Get(w.ctx, w.admin, w.connected)
		check(t, err)
		if len(page.Connection.Findings) != 1 || page.Connection.Findings[0].Level != "warning" || !strings.Contains(page.Connection.Findings[0].What, "of other companies") || page.Connection.Findings[0].Fix == "" {
			t.Errorf("%+v", page.Connection.Findings)
		}
	})
}

func TestLinksLeadToTheTicketSystemOnly(t *testing.T) {
	one := access.Connection{Settings: map[string]string{"url": "https://rt.example/rt"}}
	hosted := ticket.Kind{Sites: []string{"autotask.net"}}
	tests := []struct {
		name string
		kind ticket.Kind
		url  string
		ok   bool
	}{
		{"its own site", ticket.Kind{}, "https://rt.example/rt/Ticket/Display.html?id=1", true},
		{"without encryption", ticket.Kind{}, "http://rt.example/1", false},
		{"another site", ticket.Kind{}, "https://rt.example.evil.example/1", false},
		{"another port", ticket.Kind{}, "https://rt.example:8443/1", false},
		{"with a name", ticket.Kind{}, "https://rt.example@evil.example/", false},
		{"with a name for its own site", ticket.Kind{}, "https://x@rt.example/", false},
		{"a script", ticket.Kind{}, "javascript:alert(1)", false},
		{"a host of the vendor", hosted, "https://ww5.autotask.net/1", true},
		{"one that looks like it", hosted, "https://evilautotask.net/1", false},
		{"none", ticket.Kind{}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := broker.SafeLink(tt.kind, one, tt.url); got != "" != tt.ok {
				t.Errorf("%q", got)
			}
		})
	}
}

// Options makes the bureau a Picker.
func (b *bureau) Options(_ context.Context, field string) ([]ticket.Option, error) {
	if b.down {
		return nil, &ticket.Trouble{Kind: ticket.Down, Text: "The bureau does not answer."}
	}
	all := []ticket.Option{{Value: "bad\x1b", Title: "x"}, {Value: "a,b", Title: "two"}}
	for i := range 3 {
		all = append(all, ticket.Option{Value: fmt.Sprint(i), Title: fmt.Sprintf("%s %d\x1b", field, i)})
	}
	return all, nil
}

func TestWhatCanBeChosenComesFromTheTicketSystem(t *testing.T) {
	w := newWorld(t)
	c := w.Broker.Tickets
	in := broker.ConnectionInput{Kind: "bureau", Values: map[string]string{"url": "https://b.example"}, Secrets: map[string]secret.Text{"token": secret.New("bureau-token")}}
	saved, err := c.Save(w.ctx, w.admin, in)
	check(t, err)
	w.bureau.down = true
	if all, err := c.Choices(w.ctx, w.admin, saved.ID); err != nil || len(all) != 0 {
		t.Errorf("while it is down: %+v, %v", all, err)
	}
	if err := c.RefreshChoices(w.ctx, w.admin, saved.ID); access.KindOf(err) != access.Unavailable || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("refreshed while it is down: %v", err)
	}
	w.bureau.down = false
	all, err := c.Choices(w.ctx, w.admin, saved.ID)
	if err != nil || len(all) != 1 || len(all["closed"].All) != 3 || all["closed"].All[1] != (access.Choice{Value: "1", Title: "closed 1"}) {
		t.Errorf("%+v, %v", all, err)
	}
	w.bureau.down = true // and is remembered
	if all, err = c.Choices(w.ctx, w.auditor, saved.ID); err != nil || len(all["closed"].All) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := c.RefreshChoices(w.ctx, w.auditor, saved.ID); access.KindOf(err) != access.NotFound {
		t.Errorf("an auditor refreshes: %v", err)
	}
	in.ID, in.Version, in.Secrets = saved.ID, saved.Version, nil // it may be another system from now on
	_, err = c.Save(w.ctx, w.admin, in)
	check(t, err)
	if all, err = c.Choices(w.ctx, w.admin, saved.ID); err != nil || len(all) != 0 {
		t.Errorf("after the settings changed: %+v, %v", all, err)
	}
}
