package store_test

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jitney/access"
	"jitney/store"
)

func TestAPasswordIsTakenOnce(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		g := create(t, s, request("g1", "ann"))
		sealed := []byte{9, 0, 9}
		c, err := s.Credentials.Replace(t.Context(), access.Credential{Account: g.Account, Place: "p", Sealed: sealed, Recipient: "ann", CreatedAt: t0})
		if err != nil || c.Seq != 1 {
			t.Fatalf("replace: %+v, %v", c, err)
		}
		var took, refused atomic.Int64
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				got, err := s.Credentials.Take(t.Context(), g.Account, 1, access.Event{At: t0, Kind: access.EventRevealed, Actor: "ann", Grant: "g1"})
				switch {
				case err == nil && bytes.Equal(got, sealed):
					took.Add(1)
				case access.KindOf(err) == access.Conflict:
					refused.Add(1)
				default:
					t.Errorf("take: %v, %v", got, err)
				}
			})
		}
		all.Wait()
		if took.Load() != 1 || refused.Load() != 99 {
			t.Errorf("taken %d times, refused %d times", took.Load(), refused.Load())
		}
		read, err := s.Credentials.Credential(t.Context(), g.Account)
		if err != nil || read.Sealed != nil || read.RevealedAt.IsZero() {
			t.Errorf("afterwards %+v, %v", read, err)
		}
		records, err := s.Log.Records(t.Context(), access.RecordQuery{Kind: access.EventRevealed})
		if err != nil || len(records) != 1 {
			t.Errorf("%d records of it, %v; want one", len(records), err)
		}
		_, err = s.Credentials.Take(t.Context(), "none", 1)
		wantKind(t, err, access.NotFound)
	})
}

func TestARetainedPasswordCanBeTakenUntilItIsDropped(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		g := create(t, s, request("g1", "ann"))
		for want := range int64(2) {
			c, err := s.Credentials.Replace(t.Context(), access.Credential{Account: g.Account, Place: "p", Sealed: []byte{1}, Retain: true, CreatedAt: t0})
			if err != nil || c.Seq != want+1 {
				t.Fatalf("replace: %+v, %v", c, err)
			}
		}
		_, err := s.Credentials.Take(t.Context(), g.Account, 1)
		wantKind(t, err, access.Conflict) // it was replaced
		for range 2 {
			if _, err := s.Credentials.Take(t.Context(), g.Account, 2); err != nil {
				t.Errorf("take: %v", err)
			}
		}
		it := claim(t, s)[0]
		if err := s.Accounts.Record(t.Context(), it.Lease, access.Change{Account: it.Value.Account, DropSeq: 2, Done: true}); err != nil {
			t.Fatal(err)
		}
		_, err = s.Credentials.Take(t.Context(), g.Account, 2)
		wantKind(t, err, access.Conflict)
	})
}

func TestAnOfferIsUsedOnceByWhomItIsFor(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		offer := access.Offer{ID: "o1", Person: "ann", Customer: "c1", Sealed: []byte{7, 7}, ExpiresAt: t0.Add(time.Hour)}
		late := access.Offer{ID: "o2", Person: "ann", Customer: "c1", Sealed: []byte{8}, ExpiresAt: t0}
		for _, o := range []access.Offer{offer, late} {
			o.ExpiresAt = o.ExpiresAt.AddDate(1000, 0, 0) // not run out by the clock of the store
			if o.ID == "o2" {
				o.ExpiresAt = t0
			}
			if err := s.Credentials.PutOffer(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		use := func(id, person, customer, offer string) (access.Grant, error) {
			n := request(id, person)
			n.Grant.Customer, n.Offer = customer, offer
			return s.Grants.Create(t.Context(), n)
		}
		for _, tt := range []struct{ name, person, customer, offer string }{
			{"another person's", "bob", "c1", "o1"},
			{"another customer's", "ann", "c2", "o1"},
			{"one that ran out", "ann", "c1", "o2"},
			{"one that never was", "ann", "c1", "o3"},
		} {
			_, err := use("x", tt.person, tt.customer, tt.offer)
			if access.KindOf(err) != access.NotFound {
				t.Errorf("%s: %v", tt.name, err)
			}
			_, err = s.Grants.Grant(t.Context(), "x")
			wantKind(t, err, access.NotFound)
		}
		g, err := use("g1", "ann", "c1", "o1")
		if err != nil {
			t.Fatal(err)
		}
		_, err = use("g2", "ann", "c1", "o1")
		wantKind(t, err, access.NotFound)
		c, err := s.Credentials.Credential(t.Context(), g.Account)
		if err != nil || !bytes.Equal(c.Sealed, []byte{7, 7}) || c.Place != "offer:ann:o1" || !c.Retain || !c.Waits() || c.Ready() || c.Seq != 1 {
			t.Errorf("credential %+v, %v", c, err)
		}
	})
}
