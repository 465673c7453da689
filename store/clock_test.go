package store_test

import (
	"net/url"
	"testing"
	"time"

	"jitney/access"
)

// TestNoEndIsLateByTheDatabasesClock is about a database whose clock is wrong:
// a look that wants to come again at an instant by our clock comes then.
func TestNoEndIsLateByTheDatabasesClock(t *testing.T) {
	for _, wrong := range []string{"- interval '10 minutes'", "+ interval '10 minutes'"} {
		t.Run(wrong, func(t *testing.T) {
			t.Parallel()
			name := postgresSchema(t)
			s := open(t, name)
			u, err := url.Parse(name)
			if err != nil {
				t.Fatal("the address of the database is no URL")
			}
			q := u.Query()
			schema := q.Get("search_path")
			if _, err := side(t, s).ExecContext(t.Context(), "CREATE FUNCTION "+schema+".statement_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.statement_timestamp() "+wrong+" $$"); err != nil {
				t.Fatal(err)
			}
			q.Set("search_path", schema+",pg_catalog")
			u.RawQuery = q.Encode()
			s = open(t, u.String())
			create(t, s, request("g1", "ann"))
			it := claim(t, s)[0]
			if err := s.Accounts.Record(t.Context(), it.Lease, access.Change{Account: it.Value.Account, Done: true, Again: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			in, ok, err := s.Accounts.Next(t.Context(), nil)
			if err != nil || !ok || (in-time.Hour).Abs() > 5*time.Minute {
				t.Errorf("it is looked at again in %v, want in an hour: %v", in, err)
			}
		})
	}
}
