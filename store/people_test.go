package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/store"
)

func TestPeopleCustomersAndTargetsAreKeptByVersion(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		ann := access.Person{ID: "p1", Login: "Ann@MSP.example", Name: "Ann", Roles: []access.Role{access.Requester}, Customers: []string{"c1"}, TimeZone: "Europe/Berlin", CreatedAt: t0}
		saved, err := s.People.SavePerson(ctx, ann, access.Event{At: t0, Kind: "person.saved", Subject: "p1"})
		if err != nil || saved.Version != 1 {
			t.Fatalf("%+v, %v", saved, err)
		}
		_, err = s.People.SavePerson(ctx, access.Person{ID: "p2", Login: "ann@msp.example"})
		wantKind(t, err, access.Invalid)
		_, err = s.People.SavePerson(ctx, ann) // once more as new
		wantKind(t, err, access.Invalid)
		saved.AllCustomers, saved.DisabledAt = true, t0
		if _, err := s.People.SavePerson(ctx, saved); err != nil {
			t.Fatal(err)
		}
		_, err = s.People.SavePerson(ctx, saved)
		wantKind(t, err, access.Conflict)
		read, err := s.Rules.Person(ctx, "p1")
		if err != nil || !read.AllCustomers || read.Version != 2 || !read.Is(access.Requester) || !read.WorksFor("c1") || !read.DisabledAt.Equal(t0) || read.TimeZone != "Europe/Berlin" {
			t.Errorf("%+v, %v", read, err)
		}
		if all, err := s.People.People(ctx); err != nil || len(all) != 1 {
			t.Errorf("%d people, %v", len(all), err)
		}
		customers(t, s)
		targets(t, s)
	})
}

func customers(t *testing.T, s *store.Store) {
	t.Helper()
	for _, name := range []string{"beta", "Alpha"} {
		if _, err := s.Customers.SaveCustomer(t.Context(), access.Customer{ID: name, Name: name, CreatedAt: t0}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Customers.SaveCustomer(t.Context(), access.Customer{ID: "beta", Name: "x"})
	wantKind(t, err, access.Conflict)
	_, err = s.Customers.SaveCustomer(t.Context(), access.Customer{ID: "beta", Name: "x", Version: 4})
	wantKind(t, err, access.Conflict)
	if all, err := s.Customers.Customers(t.Context()); err != nil || len(all) != 2 || all[0].Name != "Alpha" {
		t.Errorf("%+v, %v", all, err)
	}
	for name, want := range map[string]string{"ALPHA": "Alpha", "beta": "beta", "Älpha": "c3", "äLPHA": "c3", "c3": "c3", "alph": "", "%": ""} {
		if want == "c3" {
			_, _ = s.Customers.SaveCustomer(t.Context(), access.Customer{ID: "c3", Name: "Älpha", CreatedAt: t0}) // the first time it is new
		}
		all, err := s.Customers.CustomersNamed(t.Context(), name)
		if err != nil || (want == "") != (len(all) == 0) || len(all) > 0 && all[0].ID != want {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
	_, err = s.Customers.Customer(t.Context(), "none")
	wantKind(t, err, access.NotFound)
}

func targets(t *testing.T, s *store.Store) {
	t.Helper()
	n := access.Target{ID: "t1", Customer: "beta", Kind: "ad", Name: "Domain", Settings: map[string]string{"host": "dc1"}, CreatedAt: t0, Findings: []access.Finding{{Level: "ok", What: "Reached."}}}
	n, err := s.Targets.SaveTarget(t.Context(), n, map[string][]byte{"password": {1, 2}, "key": {3}})
	if err != nil {
		t.Fatal(err)
	}
	n.Policy = "strict"
	if _, err := s.Targets.SaveTarget(t.Context(), n, map[string][]byte{"key": nil, "password": {4}}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Targets.SaveTarget(t.Context(), n, map[string][]byte{"password": {5}})
	wantKind(t, err, access.Conflict)
	secrets, err := s.Targets.TargetSecrets(t.Context(), "t1")
	if err != nil || len(secrets) != 1 || secrets["password"][0] != 4 {
		t.Errorf("%v, %v", secrets, err)
	}
	for _, customer := range []string{"", "beta"} {
		all, err := s.Targets.Targets(t.Context(), customer)
		if err != nil || len(all) != 1 || all[0].Settings["host"] != "dc1" || all[0].Policy != "strict" || len(all[0].Findings) != 1 {
			t.Errorf("%+v, %v", all, err)
		}
	}
	if none, err := s.Targets.Targets(t.Context(), "Alpha"); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

func TestPoliciesAreVersions(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		p, err := s.Rules.Policy(t.Context(), "default")
		if err != nil || p != access.DefaultPolicy() {
			t.Fatalf("%+v, %v; want the one that is built in", p, err)
		}
		stale := p
		p.Max, p.ChangedAt, p.ChangedBy = 8*time.Hour, t0, "ann"
		if p, err = s.Rules.SavePolicy(t.Context(), p, access.Event{At: t0, Kind: "policy.saved"}); err != nil || p.Version != 2 {
			t.Fatalf("%+v, %v", p, err)
		}
		_, err = s.Rules.SavePolicy(t.Context(), stale)
		wantKind(t, err, access.Conflict)
		strict := p
		strict.Name, strict.Version, strict.NeedsApproval = "strict", 0, true
		if _, err := s.Rules.SavePolicy(t.Context(), strict); err != nil {
			t.Fatal(err)
		}
		all, err := s.Rules.Policies(t.Context())
		// The first is the built-in one for sessions.
		if err != nil || len(all) != 3 || all[0] != access.SessionPolicy() || all[1] != p || !all[2].NeedsApproval || all[2].Version != 1 {
			t.Errorf("%+v, %v", all, err)
		}
		_, err = s.Rules.Policy(t.Context(), "none")
		wantKind(t, err, access.NotFound)
	})
}

func TestTheFirstPersonIsMadeOnce(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		if nobody, err := s.People.Nobody(t.Context()); err != nil || !nobody {
			t.Errorf("nobody %v, %v", nobody, err)
		}
		var made, refused atomic.Int64
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				id := string(rune('a' + i))
				switch err := s.People.AddFirst(t.Context(), access.Person{ID: id, Login: id + "@msp.example"}, "hash"); {
				case err == nil:
					made.Add(1)
				case access.KindOf(err) == access.Conflict:
					refused.Add(1)
				default:
					t.Errorf("add: %v", err)
				}
			})
		}
		all.Wait()
		if nobody, err := s.People.Nobody(t.Context()); err != nil || nobody || made.Load() != 1 || refused.Load() != 9 {
			t.Errorf("made %d, refused %d, nobody %v, %v", made.Load(), refused.Load(), nobody, err)
		}
	})
}

func TestANewPasswordEndsOtherVisits(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
		if err := s.People.AddFirst(ctx, access.Person{ID: "p1", Login: "Ann@msp.example"}, "hash1"); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"k1", "k2", "k3"} {
			if err := s.Sessions.AddSession(ctx, access.Visit{Key: key, Person: "p1", Data: []byte("{}"), BegunAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Sessions.AddSession(ctx, access.Visit{Key: "old", Person: "p1", Data: []byte{}, ExpiresAt: now.Add(-time.Hour)}); err != nil {
			t.Fatal(err)
		}
		later := access.Visit{Key: "k2", Person: "p1", Data: []byte("later"), BegunAt: now, SeenAt: now.Add(time.Minute), ExpiresAt: now.Add(2 * time.Hour)}
		if err := s.Sessions.KeepSession(ctx, later); err != nil {
			t.Fatal(err)
		}
		if err := s.Sessions.EndSession(ctx, "k3"); err != nil {
			t.Fatal(err)
		}
		later.Key = "k3"
		if err := s.Sessions.KeepSession(ctx, later); err != nil {
			t.Fatal(err)
		}
		visits, err := s.Sessions.SessionsOf(ctx, "p1")
		if err != nil || len(visits) != 3 || visits[0].Key != "k2" || string(visits[0].Data) != "later" {
			t.Errorf("visits %+v, %v", visits, err)
		}
		if err := s.People.SetPassword(ctx, "p1", "hash2", "k2"); err != nil {
			t.Fatal(err)
		}
		p, hash, err := s.People.ByLogin(ctx, " ann@MSP.example")
		if err != nil || p.ID != "p1" || hash != "hash2" {
			t.Errorf("%+v, %q, %v", p, hash, err)
		}
		_, err = s.Sessions.Session(ctx, "k1")
		wantKind(t, err, access.NotFound)
		if v, err := s.Sessions.Session(ctx, "k2"); err != nil || !v.ExpiresAt.Equal(now.Add(2*time.Hour)) {
			t.Errorf("%+v, %v", v, err)
		}
		wantKind(t, s.People.SetPassword(ctx, "none", "hash", ""), access.NotFound)
	})
}

func TestADeskKeepsTicketsAndNotes(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		numbers := map[string]bool{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				n, err := s.Desk.SaveDeskTicket(ctx, access.DeskTicket{ID: string(rune('a' + i)), Customer: "c1", Title: "Printer", OpenedBy: "ann", OpenedAt: t0})
				mu.Lock()
				defer mu.Unlock()
				if numbers[n.Number] = true; err != nil {
					t.Errorf("open: %v", err)
				}
			})
		}
		all.Wait()
		if len(numbers) != 5 || !numbers["1001"] || !numbers["1005"] {
			t.Errorf("numbers %v", numbers)
		}
		a, err := s.Desk.DeskTicket(ctx, "a")
		if err != nil || a.Version != 1 || a.Title != "Printer" {
			t.Fatalf("%+v, %v", a, err)
		}
		a.ClosedAt = t0
		if _, err := s.Desk.SaveDeskTicket(ctx, a); err != nil {
			t.Fatal(err)
		}
		_, err = s.Desk.SaveDeskTicket(ctx, a)
		wantKind(t, err, access.Conflict)
		open, err := s.Desk.DeskTickets(ctx, "c1", false)
		everything, err2 := s.Desk.DeskTickets(ctx, "", true)
		if err != nil || err2 != nil || len(open) != 4 || len(everything) != 5 || everything[0].Number != "1005" {
			t.Errorf("%d open, %d in all, %v, %v", len(open), len(everything), err, err2)
		}
		for range 10 {
			all.Go(func() {
				if _, err := s.Desk.AddDeskNote(ctx, access.DeskNote{Ticket: "a", Key: "k", Body: "once"}); err != nil {
					t.Errorf("note: %v", err)
				}
			})
		}
		all.Wait()
		for range 2 {
			if _, err := s.Desk.AddDeskNote(ctx, access.DeskNote{Ticket: "a", Body: "without a key"}); err != nil {
				t.Errorf("note: %v", err)
			}
		}
		notes, err := s.Desk.DeskNotes(ctx, "a")
		if err != nil || len(notes) != 3 || notes[0].Body != "once" || notes[0].Key != "k" || notes[0].At.IsZero() {
			t.Errorf("notes %+v, %v", notes, err)
		}
		_, err = s.Desk.AddDeskNote(ctx, access.DeskNote{Ticket: "none", Body: "x"})
		wantKind(t, err, access.NotFound)
	})
}

func TestACustomerHasOneDataKey(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		first, err := s.Keys.AddDataKey(ctx, secret.DataKey{ID: "d1", Customer: "c1", WrappedBy: "w1", Wrapped: []byte{1}, CreatedAt: t0})
		second, err2 := s.Keys.AddDataKey(ctx, secret.DataKey{ID: "d2", Customer: "c1", WrappedBy: "w1", Wrapped: []byte{2}})
		if err != nil || err2 != nil || first.ID != "d1" || second.ID != "d1" || second.Wrapped[0] != 1 {
			t.Errorf("%+v, %+v, %v, %v", first, second, err, err2)
		}
		if _, ok, err := s.Keys.CustomerKey(ctx, "c2"); ok || err != nil {
			t.Errorf("a key of another customer: %v, %v", ok, err)
		}
		first.WrappedBy, first.Wrapped = "w2", []byte{9}
		for _, was := range []string{"w0", "w1"} {
			if err := s.Keys.Rewrap(ctx, first, was); err != nil {
				t.Fatal(err)
			}
			old, err := s.Keys.WrappedByOther(ctx, "w2")
			if err != nil || len(old) != map[string]int{"w0": 1, "w1": 0}[was] {
				t.Errorf("after %s: %+v, %v", was, old, err)
			}
		}
		if k, err := s.Keys.DataKey(ctx, "d1"); err != nil || k.Wrapped[0] != 9 || !k.CreatedAt.Equal(t0) {
			t.Errorf("%+v, %v", k, err)
		}
	})
}
