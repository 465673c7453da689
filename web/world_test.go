package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/signin"
	"jitney/target"
	"jitney/ticket"
)

// A world is the website on the real brokers, on memory, with people,
// customers, tickets and grants in every state.
type world struct {
	bureaus *memBureaus
	backlog memBacklog
	tokens  *memTokens
	pairing *signin.Pairings
	*memory
	server  *Server
	handler http.Handler
	slow    atomic.Bool // the ticket system does not answer
	kept    map[string]string
	login   string // where Microsoft's pages are
	shut    bool   // companies are not told
}

const (
	maya  = "maya"  // requester at Aviary Foods and Harbour Dental
	ada   = "ada"   // administrator and requester everywhere
	otto  = "otto"  // auditor
	priya = "priya" // approver and requester at Kestrel only
)

func newWorld(t testing.TB, more ...target.Kind) *world {
	t.Helper()
	w := &world{memory: newMemory(), bureaus: newMemBureaus(), kept: map[string]string{}, login: "https://login.microsoftonline.example"}
	w.tokens = newMemTokens(w.memory)
	w.pairing = signin.NewPairings(memPeople{w.memory}, w.tokens, nil)
	made := 0
	w.server = &Server{Broker: broker.New(broker.Ports{Grants: memGrants{w.memory}, Pulses: memGrants{w.memory}, Credentials: memCredentials{w.memory}, People: memPeople{w.memory},
		Customers: memPlaces{w.memory}, Targets: memPlaces{w.memory}, Rules: memRules{w.memory}, Log: memLog{w.memory}, Notes: memLog{w.memory},
		Sealer: plainSealer{}, Desk: memDesk{w.memory}, Records: memLog{w.memory}, Proof: memLog{w.memory}, Kinds: append(w.kinds(), more...), Issued: memIssued{w.memory},
		Open:        w.open,
		Desks:       w.desk,
		Connections: w.bureaus, TicketKinds: []ticket.Kind{bureauKind()}, OpenDesk: w.openBureau, Shelf: &memShelf{}, Backlog: &w.backlog,
		Password: func() secret.Text { made++; return secret.New(fmt.Sprintf("Wren-Copper-%02d-Tidal", made)) }}),
		SignIn: fakeSignIn{w}, Setup: fakeSetup{w}, Accounts: fakeAccounts{},
		Banner: "A server for tests.",
		Tokens: signin.NewTokens(memPeople{w.memory}, w.tokens, memLog{w.memory}, nil), Pairings: w.pairing}
	h, err := w.server.Open(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	w.handler = h
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) kinds() []target.Kind {
	ad := target.Kind{Name: "ad", Title: "On Prem AD (Active Directory)", Icon: "server", Shared: true,
		Handover: target.Password("Use Remote Desktop or any domain tool; the account also works with its full name."),
		AtTheEnd: "The account is disabled, its admin privileges are removed, and its password is reset twice.",
		Outlives: "Sessions that are open on a server stay open until they are signed out.",
		Fields: []target.Field{{Name: "url", Title: "Domain controller", Help: "One or more, the preferred one first.", Example: "ldaps://dc1.pedroaviary.local", Required: true},
			{Name: "security", Title: "Connection", Help: "How the connection is secured.", Options: []string{"ldaps", "starttls"}},
			{Name: "ca", Title: "CA certificate", Help: "PEM. Empty means the system's.", Lines: true},
			{Name: "password", Title: "Password", Help: "Of the account that Jitney signs in with.", Secret: true, Required: true}},
		Entitlements: target.Offer(target.Entitlement{Name: "domain-admin", Title: "Domain Admin"}),
		Username: func(_ target.Settings, h access.Holder) string {
			return strings.Split(h.Login, "@")[0] + "-pedroaviary"
		}}
	return []target.Kind{ad, w.m365()}
}

type nothing struct{}

func (nothing) Observe(context.Context, access.Account) (access.Observation, error) {
	return access.Observation{}, nil
}
func (nothing) Apply(context.Context, access.Account, access.Want, secret.Text) error { return nil }
func (nothing) Remove(context.Context, access.Account) error                          { return nil }
func (nothing) Check(context.Context) ([]access.Finding, error) {
	return []access.Finding{{Level: "ok", What: "Both domain controllers answer over LDAPS."}, {Level: "info", What: "Functional level: 2016."},
		{Level: "warning", What: "The clock of dc2 is 40 s ahead.", Fix: "Point both at the same time source."},
		{Level: "error", What: "The right to remove members of Domain Admins is missing.", Fix: "Run the script on the connecting page again."}}, nil
}

// desk is the ticket system of every customer.
func (w *world) desk(ctx context.Context, customer string) (ticket.System, string, string, error) {
	if w.slow.Load() {
		return nil, "", "", &ticket.Trouble{Kind: ticket.Down, Text: "no answer"}
	}
	return deskSystem{w}, "desk", customer, nil
}

type deskSystem struct{ *world }

func (d deskSystem) all(company string) (out []ticket.Ticket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tickets {
		if company == "" || t.Customer == company {
			out = append(out, ticket.Ticket{ID: t.ID, Number: t.Number, Title: t.Title, Company: t.Customer, Open: t.ClosedAt.IsZero(), AcceptsNotes: true})
		}
	}
	return out
}

func (d deskSystem) Tickets(_ context.Context, q ticket.Query) (ticket.Page, error) {
	return ticket.Page{Tickets: d.all(q.Company)}, nil
}

func (d deskSystem) Find(_ context.Context, ids ...string) (map[string]ticket.Ticket, error) {
	out := map[string]ticket.Ticket{}
	for _, t := range d.all("") {
		for _, id := range ids {
			if t.ID == id {
				out[id] = t
			}
		}
	}
	return out, nil
}

func (deskSystem) Notes(context.Context, string, string) ([]ticket.NoteRef, error) { return nil, nil }
func (deskSystem) AddNote(context.Context, string, ticket.Note) (ticket.NoteRef, error) {
	return ticket.NoteRef{}, nil
}
func (deskSystem) Limits() ticket.Limits { return ticket.Limits{Body: 1 << 16} }

type whoKey struct{}

// fakeSignIn believes the cookie "as", which holds the ID of a person.
type fakeSignIn struct{ *world }

func (f fakeSignIn) Load(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("as"); err == nil {
			r = r.WithContext(context.WithValue(r.Context(), whoKey{}, c.Value))
		}
		next.ServeHTTP(w, r)
	})
}

func (f fakeSignIn) Who(ctx context.Context) (access.Person, error) {
	id, _ := ctx.Value(whoKey{}).(string)
	p, err := find(f.memory, f.people, id)
	if err != nil || !p.DisabledAt.IsZero() {
		return access.Person{}, &access.Error{Kind: access.Denied, Text: "Nobody is signed in."}
	}
	return p, nil
}

func (f fakeSignIn) In(r *http.Request, login string, password secret.Text) error {
	if password.Reveal() != "correct horse" {
		return &access.Error{Kind: access.Denied, Text: "Name and password do not fit.", Hint: "Check both; an administrator can reset the password."}
	}
	return nil
}

func (f fakeSignIn) Out(context.Context) error { return nil }

func (f fakeSignIn) Swap(ctx context.Context, key, value string) (before string) {
	id, _ := ctx.Value(whoKey{}).(string)
	f.mu.Lock()
	defer f.mu.Unlock()
	key = id + "/" + key
	before = f.kept[key]
	f.kept[key] = value
	return before
}

type fakeSetup struct{ *world }

func (f fakeSetup) Needed(context.Context) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.people) == 0, nil
}

func (f fakeSetup) First(_ context.Context, token secret.Text, name, login string, _ secret.Text) error {
	if token.Reveal() != "from-the-log" {
		return &access.Error{Kind: access.Denied, Text: "The token is not the one in the log."}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.people["first"] = access.Person{ID: "first", Name: name, Login: login, Roles: []access.Role{access.Administrator}}
	return nil
}

type fakeAccounts struct{}

func (fakeAccounts) Reset(context.Context, access.Person, string) (secret.Text, error) {
	return secret.New("First-Password-81"), nil
}

func (fakeAccounts) Change(_ context.Context, _ access.Person, current, _ secret.Text) error {
	if current.Reveal() != "correct horse" {
		return &access.Error{Kind: access.Invalid, Text: "The current password is another one."}
	}
	return nil
}

func (fakeAccounts) Sessions(context.Context, access.Person) ([]Session, error) {
	now := time.Now()
	return []Session{{ID: "s1", Agent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/140 Safari/537", From: "192.0.2.7", Since: now.Add(-20 * time.Minute), SeenAt: now, Here: true},
		{ID: "s2", Agent: "Mozilla/5.0 (iPhone) Safari/604", From: "192.0.2.44", Since: now.Add(-5 * time.Hour), SeenAt: now.Add(-14 * time.Minute)}}, nil
}

func (fakeAccounts) End(context.Context, access.Person, string, string) error { return nil }

// unhurried is the patience with ends that are under way: however slow the
// machine, they are not overdue before the test is over.
const unhurried = time.Hour

// fill puts people, customers, tickets and a grant in every state into w.
func (w *world) fill() {
	now := time.Now().UTC()
	for _, c := range [][3]string{{"aviary", "Aviary Foods", "pedroaviary.local"}, {"harbour", "Harbour Dental Group", ""}, {"kestrel", "Kestrel Logistics", "kestrel.example"}} {
		w.customers[c[0]] = access.Customer{ID: c[0], Name: c[1], Note: c[2], CreatedAt: now.AddDate(0, -2, 0), Version: 1}
		if c[0] != "harbour" {
			w.targets["ad-"+c[0]] = access.Target{ID: "ad-" + c[0], Customer: c[0], Kind: "ad", Name: "Domain of " + c[1], Policy: "default", Version: 1,
				Settings: map[string]string{"url": "ldaps://dc1." + c[0] + ".example", "security": "ldaps"}, CreatedAt: now}
		}
	}
	w.targets["m365-harbour"] = access.Target{ID: "m365-harbour", Customer: "harbour", Kind: "entra", Name: "harbourdental.example", Policy: "default", Version: 1, CreatedAt: now}
	w.secrets["ad-aviary"] = map[string][]byte{"password": []byte("sealed")}
	w.people[maya] = access.Person{ID: maya, Login: "maya.okafor@msp.example", Name: "Maya Okafor", Roles: []access.Role{access.Requester}, Customers: []string{"aviary", "harbour"}, TimeZone: "Europe/London", Version: 1}
	w.people[ada] = access.Person{ID: ada, Login: "ada.brandt@msp.example", Name: "Ada Brandt", Roles: []access.Role{access.Administrator, access.Requester}, AllCustomers: true, TimeZone: "Europe/London", Version: 1}
	w.people[otto] = access.Person{ID: otto, Login: "otto.lind@msp.example", Name: "Otto Lind", Roles: []access.Role{access.Auditor}, Version: 1}
	w.people[priya] = access.Person{ID: priya, Login: "priya.nair@msp.example", Name: "Priya Nair", Roles: []access.Role{access.Approver, access.Requester}, Customers: []string{"kestrel"}, Version: 1}
	w.tickets = []access.DeskTicket{{ID: "t1", Number: "13255", Customer: "aviary", Title: "Email Blacklist Issues", OpenedBy: maya, OpenedAt: now.Add(-3 * time.Hour), Version: 1},
		{ID: "t2", Number: "13256", Customer: "aviary", Title: "Patch domain controllers", OpenedBy: maya, OpenedAt: now.Add(-26 * time.Hour), Version: 1},
		{ID: "t3", Number: "13257", Customer: "kestrel", Title: "Printer <b>server</b> & spooler", OpenedBy: priya, OpenedAt: now.Add(-time.Hour), Version: 1},
		{ID: "t4", Number: "13258", Customer: "aviary", Title: "Closed one", OpenedBy: maya, OpenedAt: now.Add(-90 * time.Hour), ClosedAt: now.Add(-80 * time.Hour), Version: 1}}
	w.notes = []access.DeskNote{{ID: "n1", Ticket: "t2", Subject: "Access granted", Body: "The tech account maya.okafor-pedroaviary is now enabled\nReason: install security patches", At: now.Add(-13 * time.Minute)}}
	w.grantIn("active", "t2", now, func(g *access.Grant) { g.VerifiedAt = now.Add(-13 * time.Minute) })
	w.grantIn("expiring", "t1", now, func(g *access.Grant) { g.VerifiedAt = now.Add(-51 * time.Minute) })
	w.grantIn("starting", "t1", now, func(*access.Grant) {})
	w.grantIn("pending", "t1", now, func(g *access.Grant) { g.ApprovedAt, g.ApprovedBy, g.StartBy = time.Time{}, "", time.Time{} })
	w.grantIn("ending", "t1", now, func(g *access.Grant) {
		g.VerifiedAt, g.StoppedAt, g.StoppedBy, g.StopCause = now.Add(-20*time.Minute), now.Add(-10*time.Second), maya, access.ByHolder
		g.Patience = unhurried
	})
	w.grantIn("overdue", "t2", now, func(g *access.Grant) {
		g.VerifiedAt, g.SubmittedAt = now.Add(-130*time.Minute), now.Add(-131*time.Minute)
		g.OverdueAt = now.Add(-69 * time.Minute)
		g.Findings = []string{"The user helpdesk2 was added to Domain Admins while this access was live."}
	})
	w.grantIn("ended", "t2", now, func(g *access.Grant) {
		g.SubmittedAt, g.VerifiedAt, g.EndedAt = now.Add(-50*time.Hour), now.Add(-50*time.Hour), now.Add(-49*time.Hour)
	})
	w.grantIn("notgiven", "t1", now, func(g *access.Grant) {
		g.SubmittedAt, g.StoppedAt, g.StopCause, g.StoppedBy, g.EndedAt = now.Add(-70*time.Hour), now.Add(-69*time.Hour), access.ByDenial, priya, now.Add(-69*time.Hour)
		g.StopReason = "Use the read-only account for that."
	})
	w.grantIn("continued", "t2", now, func(g *access.Grant) {
		g.SubmittedAt, g.VerifiedAt, g.EndedAt, g.ContinuedBy = now.Add(-90*time.Minute), now.Add(-90*time.Minute), now.Add(-30*time.Minute), "active"
	})
	w.fillCloud(now)
	for i := range 60 { // enough for a second page
		w.grantIn(fmt.Sprintf("old%02d", i), "t2", now, func(g *access.Grant) {
			at := now.AddDate(0, 0, -5).Add(-time.Duration(i) * time.Hour)
			g.SubmittedAt, g.VerifiedAt, g.EndedAt = at, at, at.Add(time.Hour)
		})
	}
	w.works = append(w.works, work("active", "granted", now.Add(-12*time.Minute), ""), work("overdue", "granted", time.Time{}, "The ticket takes no notes."))
}

func work(grant, kind string, done time.Time, parked string) access.Work {
	payload, _ := json.Marshal(access.Note{Key: "jitney:" + grant + ":" + kind + ":1", Grant: grant, Subject: kind})
	w := access.Work{ID: "work-" + grant, Kind: "note", Key: "jitney:" + grant + ":" + kind + ":1", Grant: grant, Payload: payload, DoneAt: done, Result: parked}
	if parked != "" {
		w.ParkedAt = time.Now()
	}
	return w
}

// grantIn makes one grant of Maya, with an account that looks as its state says.
func (w *world) grantIn(id, ticketID string, now time.Time, change func(*access.Grant)) {
	g := access.Grant{ID: id, Request: access.Request{Requester: maya, Customer: "aviary", Target: "ad-aviary", Entitlement: "domain-admin",
		Reason: "Install security patches and restart both domain controllers.", Duration: time.Hour},
		Policy: "default", PolicyVersion: 1, Account: "acc-" + id, SubmittedAt: now.Add(-14 * time.Minute), ApprovedAt: now.Add(-14 * time.Minute),
		ApprovedBy: "policy", StartBy: now.Add(46 * time.Minute), Version: 1}
	for _, t := range w.tickets {
		if t.ID == ticketID {
			g.Ticket = access.TicketRef{System: "desk", ID: t.ID, Number: t.Number, Title: t.Title}
		}
	}
	change(&g)
	live := g.Wanted(now) && !g.VerifiedAt.IsZero() || g.State(now) == access.Overdue || g.State(now) == access.Ending
	a := access.Account{ID: g.Account, Customer: "aviary", Target: "ad-aviary", Key: id, Username: "maya.okafor-pedroaviary", Version: 1,
		Holder: access.Holder{Person: maya, Login: "maya.okafor@msp.example", Name: "Maya Okafor"}}
	if !g.VerifiedAt.IsZero() {
		a.Seen = access.Observation{At: now.Add(-12 * time.Second), Exists: true, Enabled: live, Username: a.Username, Until: g.ExpiresAt(),
			Facts: []access.Fact{{Name: "userAccountControl", Found: "512 (enabled)"}, {Name: "Members of Domain Admins on dc2", Found: "member"}, {Name: "Other groups", Found: "none", Clean: true}}}
		if live {
			a.Seen.Entitlements = []string{"domain-admin"}
		}
		if g.State(now) == access.Overdue {
			a.Seen.Silent = []string{"dc2.aviary.example"}
		}
	}
	w.accounts[a.ID] = a
	sealed, _ := plainSealer{}.Seal(context.Background(), "aviary", secret.Place{Table: "credentials", Row: a.ID + "/x", Column: "sealed"}, secret.New("Wren-Copper-91-Tidal"))
	w.credentials[a.ID] = access.Credential{Account: a.ID, Seq: 1, Place: a.ID + "/x", Sealed: sealed, Recipient: maya, CreatedAt: now, SetAt: now}
	w.grants = append(w.grants, g)
	e := func(at time.Time, kind, actor, text string) {
		if !at.IsZero() {
			w.write(access.Event{At: at, Kind: kind, Actor: actor, Customer: "aviary", Grant: id, Text: text})
		}
	}
	e(g.SubmittedAt, access.EventSubmitted, maya, "Asked for Domain Admin on Domain of Aviary Foods for 1 h, ticket "+g.Ticket.Number+".")
	e(g.ApprovedAt, access.EventApproved, "jitney", "Allowed by the policy “Just in time admin access”, version 1, without approval.")
	e(g.VerifiedAt, access.EventVerified, "jitney", "Read back as usable: the clock runs.")
	e(g.StoppedAt, access.EventStopped, g.StoppedBy, "Ended before its time.")
	if g.State(now) == access.Overdue {
		e(g.EndsAt(), access.EventRemoving, "jitney", "The end is reached; the clean-up starts.")
		e(g.EndsAt().Add(20*time.Second), access.EventTrouble, "jitney", "The domain controller dc1 did not answer within 10 s.")
		e(g.OverdueAt, access.EventOverdue, "jitney", "Access should be gone and is not.")
	}
	e(g.EndedAt, access.EventEnded, "jitney", "Read back as gone.")
}
