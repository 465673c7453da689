package ticket_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"jitney/ticket"
)

// TestAThousandTicketsTakeFewCalls lists a thousand tickets of a customer as
// the form does. Some systems allow some hundred calls in an hour.
func TestAThousandTicketsTakeFewCalls(t *testing.T) {
	t.Parallel()
	most := map[string]int64{"ConnectWise PSA": 11, "Autotask PSA": 6, "HaloPSA": 12, "Kaseya BMS": 3, "Freshdesk": 11, "ServiceNow": 10, "Redmine": 10,
		"Request Tracker by queue": 10, "Request Tracker by field": 10}
	for name, d := range trials() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				d.sim.ServeHTTP(w, r)
			}))
			defer server.Close()
			company := d.company("Aviary")
			for i := range 1000 {
				d.add(company, fmt.Sprint("Ticket ", i))
			}
			sys, q, seen := d.at(t, server.URL), ticket.Query{Company: company, Limit: 1000}, map[string]bool{}
			for range 20 {
				page, err := sys.Tickets(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, one := range page.Tickets {
					seen[one.ID] = true
				}
				if q.Cursor = page.Next; q.Cursor == "" || len(seen) == 1000 {
					break
				}
			}
			if n := calls.Load(); len(seen) != 1000 || n > most[name] {
				t.Errorf("%d tickets in %d calls; want at most %d", len(seen), n, most[name])
			}
		})
	}
}
