package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/audit"
	"jitney/store"
)

func event(i int) access.Event {
	return access.Event{At: t0.Add(time.Duration(i) * time.Second), Kind: []string{"grant.submitted", "grant.ended", "person.saved"}[i%3], Actor: []string{"ann", "bob"}[i%2],
		Customer: fmt.Sprintf("c%d", i%4), Grant: fmt.Sprintf("g%d", i%5), Subject: "t1", Text: fmt.Sprintf("Event %d.\x00", i), Data: map[string]string{"n": fmt.Sprint(i)}}
}

func TestRecordsAreListed(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		for i := range 60 {
			if err := s.Log.Write(t.Context(), event(i)); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			name string
			q    access.RecordQuery
			want int
		}{
			{"everything", access.RecordQuery{}, 60},
			{"one kind", access.RecordQuery{Kind: "grant.ended"}, 20},
			{"all kinds of a thing", access.RecordQuery{Kind: "grant."}, 40},
			{"one actor", access.RecordQuery{Actor: "ann"}, 30},
			{"one customer", access.RecordQuery{Customer: "c1"}, 15},
			{"one grant", access.RecordQuery{Grant: "g4"}, 12},
			{"one subject", access.RecordQuery{Subject: "t1", Limit: 7}, 7},
			{"a span of time", access.RecordQuery{From: t0.Add(10 * time.Second), To: t0.Add(19 * time.Second)}, 10},
		} {
			got, err := s.Log.Records(t.Context(), tt.q)
			if err != nil || len(got) != tt.want {
				t.Errorf("%s: %d records, %v; want %d", tt.name, len(got), err, tt.want)
			}
		}
		q, seen := access.RecordQuery{Limit: 7}, 0
		for {
			page, err := s.Log.Records(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			if want := fmt.Sprintf("Event %d.\uFFFD", 59-seen); page[0].Text != want || page[0].Data["n"] != fmt.Sprint(59-seen) {
				t.Errorf("page begins with %q, want %q", page[0].Text, want)
			}
			seen += len(page)
			q.Before = page[len(page)-1].ID
		}
		line, err := s.Log.Timeline(t.Context(), "g2")
		if err != nil || seen != 60 || len(line) != 12 || line[0].Data["n"] != "2" || line[11].Data["n"] != "57" {
			t.Errorf("pages of %d records, timeline of %d, %v", seen, len(line), err)
		}
	})
}

func TestTamperingWithTheDatabaseShows(t *testing.T) {
	for _, tt := range []struct {
		name, damage string
		first        int64 // the record at which it shows
	}{
		{"nothing", `SELECT 1`, -1},
		{"a text is edited", `UPDATE audit_records SET text = 'nothing happened' WHERE seq = 7`, 7},
		{"a kind is edited", `UPDATE audit_records SET kind = 'x' WHERE seq = 8`, 8},
		{"an instant is edited", `UPDATE audit_records SET at = at + 1 WHERE seq = 9`, 9},
		{"a record is dropped", `DELETE FROM audit_records WHERE seq = 11`, 11},
		{"two records change places", `UPDATE audit_records SET seq = CASE seq WHEN 12 THEN 1000000 ELSE 12 END WHERE seq IN (12, 13)`, 12},
		{"the log is cut off", `DELETE FROM audit_records WHERE seq >= 30`, 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			engines(t, func(t *testing.T, s *store.Store) {
				for i := range 40 {
					if err := s.Log.Write(t.Context(), event(i)); err != nil {
						t.Fatal(err)
					}
				}
				if n, err := (&audit.Sealer{Book: s.Log}).Seal(t.Context()); err != nil || n != 40 {
					t.Fatalf("sealed %d, %v", n, err)
				}
				before, err := audit.Current(t.Context(), s.Log)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := side(t, s).ExecContext(t.Context(), tt.damage); err != nil {
					t.Fatal(err)
				}
				report, err := audit.VerifyBook(t.Context(), s.Log, audit.Memory{Checkpoints: []audit.Checkpoint{before}})
				fault, bad := errors.AsType[*audit.Fault](err)
				switch {
				case tt.first < 0 && (err != nil || report.Size != 40):
					t.Errorf("an intact log: %+v, %v", report, err)
				case tt.first >= 0 && (!bad || fault.Seq > tt.first || fault.To < tt.first):
					t.Errorf("%v, want the fault at record %d", err, tt.first)
				}
			})
		})
	}
}

func TestManyWritersAndSealersMakeOneLog(t *testing.T) {
	names(t, func(t *testing.T, empty maker) {
		name := empty(t)
		s := open(t, name)
		other := s
		if s.Engine() == "postgres" {
			other = open(t, name)
		}
		var all sync.WaitGroup
		for w := range 8 {
			all.Go(func() {
				for i := range 40 {
					if err := s.Log.Write(t.Context(), event(w*40+i)); err != nil {
						t.Errorf("write: %v", err)
					}
				}
			})
		}
		for _, b := range []*store.Log{s.Log, other.Log} {
			all.Go(func() {
				for size := int64(0); size < 320 && t.Context().Err() == nil; {
					if _, err := (&audit.Sealer{Book: b}).Seal(t.Context()); err != nil && access.KindOf(err) != access.Conflict {
						t.Errorf("seal: %v", err)
						return
					}
					var err error
					if size, err = b.Size(t.Context()); err != nil {
						t.Errorf("size: %v", err)
						return
					}
				}
			})
		}
		all.Wait()
		if n, oldest, err := s.Log.Unsealed(t.Context()); err != nil || n != 0 || !oldest.IsZero() {
			t.Errorf("%d unsealed since %v, %v", n, oldest, err)
		}
		checkpoint, err := audit.Current(t.Context(), s.Log)
		if err != nil || checkpoint.Size != 320 {
			t.Errorf("checkpoint of %d, %v", checkpoint.Size, err)
		}
	})
}
