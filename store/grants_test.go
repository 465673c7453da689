package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/schedule"
	"jitney/store"
)

var t0 = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// request is a new grant of person on the target of customer c1.
func request(id, person string) access.NewGrant {
	g := access.Grant{ID: id, SubmittedAt: t0, ApprovedAt: t0, ApprovedBy: "policy", StartBy: t0.Add(time.Hour), Policy: "default", PolicyVersion: 1,
		Request: access.Request{Requester: person, Customer: "c1", Target: "t1", Entitlement: "domain-admin",
			Ticket: access.TicketRef{System: "desk", ID: "k1", Number: "1001", Title: "Printer"}, Reason: "Replace the driver", Duration: 15 * time.Minute}}
	return access.NewGrant{Grant: g,
		Account: access.Account{ID: "account-" + id, Customer: "c1", Target: "t1", Key: person, Holder: access.Holder{Person: person, Login: person + "@msp.example", Name: "Name"}},
		Events:  []access.Event{{At: t0, Kind: access.EventSubmitted, Actor: person, Customer: "c1", Grant: id, Subject: "t1", Text: "Asked.", Data: map[string]string{"minutes": "15"}}}}
}

func create(t *testing.T, s *store.Store, n access.NewGrant) access.Grant {
	t.Helper()
	g, err := s.Grants.Create(t.Context(), n)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return g
}

// claim leases everything that is due.
func claim(t *testing.T, s *store.Store) []schedule.Item[access.Case] {
	t.Helper()
	items, err := s.Accounts.Claim(t.Context(), schedule.Claim{Owner: "me", For: time.Hour, Limit: 100})
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	for _, it := range items {
		if it.Err != nil {
			t.Fatalf("content of %s: %v", it.ID, it.Err)
		}
	}
	return items
}

func wantKind(t *testing.T, err error, kind access.Kind) {
	t.Helper()
	if err == nil || access.KindOf(err) != kind {
		t.Errorf("error %v, want one of kind %s", err, kind)
	}
}

func TestGrantsOfOnePersonShareAnAccount(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		first, second, other := create(t, s, request("g1", "ann")), create(t, s, request("g2", "ann")), create(t, s, request("g3", "bob"))
		if first.Account != "account-g1" || second.Account != first.Account || other.Account != "account-g3" {
			t.Errorf("accounts %s, %s, %s", first.Account, second.Account, other.Account)
		}
		items := claim(t, s)
		if len(items) != 2 {
			t.Fatalf("%d accounts are due, want both", len(items))
		}
		i := slices.IndexFunc(items, func(it schedule.Item[access.Case]) bool { return it.ID == first.Account })
		c := items[i].Value
		if len(c.Grants) != 2 || c.Grants[0].ID != "g1" || c.Grants[1].ID != "g2" || c.Account.Holder.Login != "ann@msp.example" {
			t.Errorf("case %+v", c)
		}
		read, err := s.Grants.Grant(t.Context(), "g2")
		if err != nil || read.Version != 1 || read.Reason != "Replace the driver" || !read.SubmittedAt.Equal(t0) || read.Ticket.Number != "1001" || read.Duration != 15*time.Minute {
			t.Errorf("read %+v, %v", read, err)
		}
		_, err = s.Grants.Grant(t.Context(), "none")
		wantKind(t, err, access.NotFound)
	})
}

func TestUpdatesOfOneGrantAreNeverLost(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		create(t, s, request("g1", "ann"))
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_, err := s.Grants.Update(t.Context(), "g1", func(g *access.Grant) ([]access.Event, error) {
					g.Extension += time.Minute
					return []access.Event{{At: t0, Kind: access.EventExtended, Actor: "ann", Grant: "g1", Text: fmt.Sprint("update ", i)}}, nil
				})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			})
		}
		all.Wait()
		g, err := s.Grants.Grant(t.Context(), "g1")
		if err != nil || g.Extension != 20*time.Minute || g.Version != 21 {
			t.Errorf("extension %v, version %d: an update was lost (%v)", g.Extension, g.Version, err)
		}
		records, err := s.Log.Timeline(t.Context(), "g1")
		if err != nil || len(records) != 21 {
			t.Errorf("%d records, want 21 (%v)", len(records), err)
		}
		stop := errors.New("stop")
		if _, err := s.Grants.Update(t.Context(), "g1", func(*access.Grant) ([]access.Event, error) { return nil, stop }); !errors.Is(err, stop) {
			t.Errorf("error %v, want the one of the function", err)
		}
	})
}

func TestRecordStoresALookAsAWhole(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		create(t, s, request("g1", "ann"))
		it := claim(t, s)[0]
		c := it.Value
		g := c.Grants[0]
		g.VerifiedAt, g.Findings = t0.Add(time.Minute), []string{"found something"}
		c.Account.Username, c.Account.ObjectID, c.Account.Baseline, c.Account.Trouble = "ann-msp", "guid", "before", "no answer"
		c.Account.Seen = access.Observation{At: t0.Add(time.Minute), Exists: true, Enabled: true, Entitlements: []string{"domain-admin"}, Facts: []access.Fact{{Name: "Domain Admins", Found: "member"}}}
		change := access.Change{Account: c.Account, Grants: []access.Grant{g},
			Events:     []access.Event{{At: t0, Kind: access.EventVerified, Actor: "jitney", Customer: "c1", Grant: "g1", Text: "Read back."}},
			Notes:      []access.Note{{Key: "jitney:g1:granted:1", Grant: "g1", Ticket: g.Ticket, Body: "The tech account ann-msp is now enabled"}},
			Credential: &access.Credential{Account: it.ID, Seq: 1, Place: it.ID + "/x", Sealed: []byte{1, 2, 3}, Recipient: "ann", CreatedAt: t0}}
		if err := s.Accounts.Record(t.Context(), it.Lease, change); err != nil {
			t.Fatalf("record: %v", err)
		}
		again := access.Change{Account: c.Account, SetSeq: 1, Done: true, Again: time.Now().Add(time.Hour)}
		if err := s.Accounts.Record(t.Context(), it.Lease, again); err != nil {
			t.Fatalf("record: %v", err)
		}
		read, err := s.Accounts.Case(t.Context(), it.ID)
		switch {
		case err != nil:
			t.Fatal(err)
		case read.Account.Username != "ann-msp" || read.Account.Baseline != "before" || read.Account.Trouble != "no answer" || !read.Account.Seen.Shows("domain-admin"):
			t.Errorf("account %+v", read.Account)
		case len(read.Grants) != 1 || !read.Grants[0].VerifiedAt.Equal(g.VerifiedAt) || read.Grants[0].Version != 2 || len(read.Grants[0].Findings) != 1:
			t.Errorf("grants %+v", read.Grants)
		case read.Credential.Seq != 1 || !read.Credential.Ready() || !read.Credential.SetAt.Equal(t0.Add(time.Minute)):
			t.Errorf("credential %+v", read.Credential)
		}
		if work, err := s.Outbox.WorkOf(t.Context(), "g1"); err != nil || len(work) != 1 || work[0].Kind != "note" || work[0].Group != "desk" {
			t.Errorf("work %+v, %v", work, err)
		}
		if due := claim(t, s); len(due) != 0 {
			t.Errorf("%d accounts are due, want none before the hour is over", len(due))
		}
		if open, err := s.Accounts.Accounts(t.Context(), "t1"); err != nil || len(open) != 1 {
			t.Errorf("open accounts %+v, %v", open, err)
		}
	})
}

func TestRecordIsFenced(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		create(t, s, request("g1", "ann"))
		it := claim(t, s)[0]
		stale := it.Lease
		stale.Epoch--
		done := access.Change{Account: it.Value.Account, Grants: it.Value.Grants, Done: true,
			Events: []access.Event{{At: t0, Kind: access.EventEnded, Grant: "g1", Text: "must not be stored"}}}
		if err := s.Accounts.Record(t.Context(), stale, done); !errors.Is(err, schedule.ErrLost) {
			t.Errorf("stale lease: %v, want it lost", err)
		}
		if _, err := s.Grants.Update(t.Context(), "g1", func(g *access.Grant) ([]access.Event, error) { g.StoppedAt = t0; return nil, nil }); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.Accounts.Record(t.Context(), it.Lease, done), access.Conflict)
		if records, _ := s.Log.Timeline(t.Context(), "g1"); len(records) != 1 {
			t.Errorf("%d records: a refused change left some behind", len(records))
		}
		taken := access.Change{Account: it.Value.Account, Credential: &access.Credential{Seq: 5, Sealed: []byte{1}}}
		wantKind(t, s.Accounts.Record(t.Context(), it.Lease, taken), access.Conflict)

		// The update woke the account, so it is due again as soon as it is given back.
		if err := s.Accounts.Record(t.Context(), it.Lease, access.Change{Account: it.Value.Account, Done: true}); err != nil {
			t.Fatalf("record: %v", err)
		}
		if items := claim(t, s); len(items) != 1 || items[0].Value.Grants[0].StoppedAt.IsZero() {
			t.Errorf("claimed %+v, want the account that was woken while leased", items)
		}
	})
}

func TestEndedGrantsAreNotPartOfACase(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		create(t, s, request("g1", "ann"))
		create(t, s, request("g2", "ann"))
		it := claim(t, s)[0]
		ended := it.Value.Grants[0]
		ended.EndedAt, ended.StoppedAt = t0, t0
		if err := s.Accounts.Record(t.Context(), it.Lease, access.Change{Account: it.Value.Account, Grants: []access.Grant{ended}, DropSeq: 1, Done: true}); err != nil {
			t.Fatal(err)
		}
		c, err := s.Grants.Case(t.Context(), it.ID)
		if err != nil || len(c.Grants) != 1 || c.Grants[0].ID != "g2" {
			t.Errorf("case %+v, %v", c, err)
		}
		if n, err := s.Accounts.WakeOpen(t.Context(), time.Second); err != nil || n != 1 {
			t.Errorf("woke %d, %v; want the one account", n, err)
		}
		if d, ok, err := s.Accounts.Next(t.Context(), nil); err != nil || !ok || d > time.Second {
			t.Errorf("next in %v %v %v, want within a second", d, ok, err)
		}
	})
}

func TestGrantsAreFound(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		for i := range 25 {
			n := request(fmt.Sprintf("g%02d", i), []string{"ann", "bob"}[i%2])
			n.Grant.SubmittedAt = t0.Add(time.Duration(i/2) * time.Minute) // pairs share an instant
			n.Grant.Customer = []string{"c1", "c2", "c3"}[i%3]
			n.Grant.Reason = fmt.Sprintf("Reason %d with 100%% care", i)
			if i >= 20 {
				n.Grant.ApprovedAt = time.Time{}
			}
			if i < 5 {
				n.Grant.VerifiedAt, n.Grant.EndedAt = t0, t0.Add(time.Hour)
			}
			if i == 7 {
				n.Grant.VerifiedAt = t0.Add(-24 * time.Hour) // ends since yesterday
			}
			create(t, s, n)
		}
		now := t0.Add(30 * time.Minute)
		tests := []struct {
			name string
			q    access.GrantQuery
			want int
		}{
			{"everything", access.GrantQuery{}, 25},
			{"one requester", access.GrantQuery{Requester: "ann"}, 13},
			{"one customer", access.GrantQuery{Customer: "c2"}, 8},
			{"customers that somebody works for", access.GrantQuery{Customers: []string{"c1", "c3"}}, 17},
			{"no customer at all", access.GrantQuery{Customers: []string{}}, 0},
			{"part of the reason without regard to case", access.GrantQuery{Text: "REASON 7 "}, 1},
			{"a sign that means anything to the engine means itself", access.GrantQuery{Text: "100%"}, 25},
			{"a sign that stands for any other means itself", access.GrantQuery{Text: "1_0%"}, 0},
			{"a ticket number", access.GrantQuery{Ticket: "1001", Requester: "bob"}, 12},
			{"only open ones", access.GrantQuery{Open: true}, 20},
			{"a span of time", access.GrantQuery{From: t0.Add(2 * time.Minute), To: t0.Add(3 * time.Minute)}, 4},
			{"those that wait for approval", access.GrantQuery{States: []access.State{access.Pending}, Now: now}, 5},
			{"those that ended", access.GrantQuery{States: []access.State{access.Ended}, Now: now}, 5},
			{"those that are overdue", access.GrantQuery{States: []access.State{access.Overdue}, Now: now}, 1},
			{"starting and pending", access.GrantQuery{States: []access.State{access.Starting, access.Pending}, Now: now}, 19},
			{"at most so many", access.GrantQuery{Limit: 3, Open: true}, 3},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got, err := s.Grants.Find(t.Context(), tt.q)
				if err != nil || len(got) != tt.want {
					t.Errorf("found %d, %v; want %d", len(got), err, tt.want)
				}
			})
		}
		for _, oldest := range []bool{false, true} {
			pages(t, s, access.GrantQuery{Oldest: oldest, Limit: 4})
			pages(t, s, access.GrantQuery{Oldest: oldest, Limit: 2, States: []access.State{access.Starting, access.Ended, access.Pending, access.Overdue}, Now: now})
		}
	})
}

// pages reads page by page and wants every one of 25 grants once, in order.
func pages(t *testing.T, s *store.Store, q access.GrantQuery) {
	t.Helper()
	var ids []string
	for {
		page, err := s.Grants.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, g := range page {
			ids = append(ids, g.ID)
		}
		q.After = ids[len(ids)-1]
	}
	sorted := slices.Sorted(slices.Values(ids))
	if !q.Oldest {
		slices.Reverse(sorted)
	}
	if len(ids) != 25 || !slices.Equal(ids, sorted) {
		t.Errorf("%+v gives %d: %q", q, len(ids), ids)
	}
}

func TestThePulseOfAGrant(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		create(t, s, request("g1", "ann"))
		before, err := s.Grants.Pulse(t.Context(), "g1")
		if err != nil || before.Mark == "" || before.NextTry.IsZero() || before.Attempts != 0 {
			t.Fatalf("pulse %+v, %v", before, err)
		}
		_, err = s.Grants.Update(t.Context(), "g1", func(g *access.Grant) ([]access.Event, error) {
			g.Extension += time.Minute
			return nil, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if after, err := s.Grants.Pulse(t.Context(), "g1"); err != nil || after.Mark == before.Mark {
			t.Errorf("pulse %+v, %v after a change", after, err)
		}
		if _, err := s.Grants.Pulse(t.Context(), "none"); access.KindOf(err) != access.NotFound {
			t.Errorf("a grant that is not there: %v", err)
		}
	})
}
