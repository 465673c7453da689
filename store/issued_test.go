package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/store"
)

// issue stores a session of g, whose keys exist for d.
func issue(t *testing.T, s *store.Store, g access.Grant, d time.Duration) error {
	t.Helper()
	now := time.Now()
	return s.Issued.Issue(t.Context(), access.Session{ID: fmt.Sprintf("%s-%d", g.ID, now.UnixNano()), Grant: g.ID, Account: g.Account, Customer: g.Customer, Target: g.Target,
		Entitlement: g.Entitlement, Person: g.Requester, For: access.ForKeys, Via: access.ViaCLI, IssuedAt: now, EndsAt: now.Add(d), ExpiresAt: now.Add(d)})
}

// TestALookThatASessionOvertookRecordsNothing stores looks alone and in crowds:
// each was begun before a session was issued that it does not know of.
func TestALookThatASessionOvertookRecordsNothing(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		const n = 12
		for i := range n {
			asked := request(fmt.Sprintf("g%d", i), fmt.Sprintf("p%d", i))
			if i%3 == 0 { // waits for approval, so nothing is issued from it
				asked.Grant.ApprovedAt, asked.Grant.StartBy = time.Time{}, time.Time{}
			}
			create(t, s, asked)
		}
		items := claim(t, s)
		if len(items) != n {
			t.Fatalf("%d accounts are due", len(items))
		}
		overtaken := map[string]bool{}
		for i, it := range items {
			g := it.Value.Grants[0]
			if i%2 > 0 {
				continue
			}
			err := issue(t, s, g, time.Hour)
			if overtaken[g.ID] = err == nil; overtaken[g.ID] == g.ApprovedAt.IsZero() {
				t.Errorf("a session of a grant that was approved at %v: %v", g.ApprovedAt, err)
			}
		}
		var all sync.WaitGroup
		for _, it := range items {
			g := it.Value.Grants[0]
			g.EndedAt = time.Now()
			all.Go(func() {
				err := s.Accounts.Record(t.Context(), it.Lease, access.Change{Account: it.Value.Account, Grants: []access.Grant{g}, Done: true})
				if overtaken[g.ID] != (access.KindOf(err) == access.Conflict) || !overtaken[g.ID] && err != nil {
					t.Errorf("grant %s, overtaken %v: %v", g.ID, overtaken[g.ID], err)
				}
			})
		}
		all.Wait()
		for _, it := range items {
			g := it.Value.Grants[0]
			c, err := s.Grants.Case(t.Context(), g.Account)
			if err != nil || overtaken[g.ID] != (len(c.Account.Issued) == 1) || overtaken[g.ID] != (len(c.Grants) == 1) {
				t.Errorf("%s: %+v %v", g.ID, c, err)
			}
			if err := issue(t, s, g, time.Hour); !overtaken[g.ID] && access.KindOf(err) != access.Conflict {
				t.Errorf("a session was issued from %s, which has ended: %v", g.ID, err)
			}
		}
	})
}

func TestAccountsAreLookedAtWhileTheirKeysExist(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		for i, life := range []time.Duration{time.Hour, -time.Minute} {
			g := create(t, s, request(fmt.Sprintf("g%d", i), fmt.Sprintf("p%d", i)))
			for _, d := range []time.Duration{life - 5*time.Minute, life, life - 10*time.Minute} { // the longest counts
				if err := issue(t, s, g, d); err != nil {
					t.Fatal(err)
				}
			}
			c, err := s.Grants.Case(t.Context(), g.Account)
			if err != nil || time.Until(c.Account.Issued[0].ExpiresAt) < life-4*time.Minute || time.Until(c.Account.Issued[0].EndsAt) < life-4*time.Minute {
				t.Errorf("of three sessions: %+v, %v", c.Account.Issued, err)
			}
		}
		for _, it := range claim(t, s) {
			g := it.Value.Grants[0]
			g.EndedAt = time.Now()
			if err := s.Accounts.Record(t.Context(), it.Lease, access.Change{Account: it.Value.Account, Grants: []access.Grant{g}, Done: true}); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.Accounts.WakeOpen(t.Context(), 0); n != 0 || err != nil {
			t.Errorf("%d are open: %v", n, err)
		}
		due := claim(t, s)
		if len(due) != 1 || len(due[0].Value.Grants) != 0 || len(due[0].Value.Account.Issued) != 1 || time.Until(due[0].Value.Account.Issued[0].ExpiresAt) < 56*time.Minute || time.Until(due[0].Value.Account.Issued[0].EndsAt) < 56*time.Minute {
			t.Errorf("due: %+v", due)
		}
	})
}
