package ticket_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/reconcile"
	"jitney/secret"
	simautotask "jitney/sim/autotask"
	simconnectwise "jitney/sim/connectwise"
	simredmine "jitney/sim/redmine"
	"jitney/ticket"
)

// timed are the desks that take time, new.
func timed() map[string]trial {
	all := map[string]trial{"HaloPSA": haloTrial(), "Request Tracker": rtTrial(false), "Freshdesk": freshdeskTrial()}
	cw := connectwiseTrial()
	cw.values["time_member"] = simconnectwise.Member
	at := autotaskTrial()
	at.values["time_resource"], at.values["time_role"] = fmt.Sprint(at.sim.(*simautotask.Server).AddResource("bree", "", 8)), "8"
	rm := redmineTrial()
	s := rm.sim.(*simredmine.Server)
	rm.secrets["key"] = secret.New(s.Key("worker", []string{simredmine.LogTime, simredmine.ViewTime}, "1"))
	all["ConnectWise PSA"], all["Autotask PSA"], all["Redmine"] = cw, at, rm
	return all
}

// TestTimeIsBookedOnce books time while the network loses three of ten answers
// and delays three of ten requests.
func TestTimeIsBookedOnce(t *testing.T) {
	t.Parallel()
	const n, late = 4, 100 * time.Millisecond
	for name, d := range timed() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(d.sim)
			t.Cleanup(srv.Close)
			company := d.company("Aviary")
			var tickets []string
			for i := range 3 {
				tickets = append(tickets, d.add(company, fmt.Sprint("Ticket ", i)))
			}
			l, proxied := newLossy(t, srv.URL, late, func(r *http.Request) bool {
				path := strings.ToLower(r.URL.Path)
				return r.Method == http.MethodPost && (strings.HasSuffix(path, "/entries") || strings.HasSuffix(path, "/timeentries") || strings.Contains(path, "/time_entries") ||
					strings.HasSuffix(path, "/actions") || strings.HasSuffix(path, "/comment"))
			})
			sys, witness := d.at(t, proxied), d.at(t, srv.URL)
			timer, ok := ticket.As[ticket.Timer](witness)
			if !ok {
				t.Fatal("it takes no time")
			}
			key := func(id string, i int) string { return fmt.Sprintf("jitney:trial-%s:time:%d", id, i) }
			var workers sync.WaitGroup
			for _, id := range tickets {
				workers.Go(func() {
					for i := range n {
						write(t, l, reconcile.WorkTime, patient{sys, waits}, id, key(id, i))
					}
				})
			}
			workers.Wait()
			l.pending.Wait()
			for _, id := range tickets {
				for i := range n {
					if refs, err := timer.Times(t.Context(), id, key(id, i)); err != nil || len(refs) != 1 {
						t.Errorf("%s is there %d times, %v; want once", key(id, i), len(refs), err)
					}
				}
			}
			if l.lost == 0 || l.delayed == 0 || l.count <= n*len(tickets) {
				t.Errorf("of %d requests %d were lost and %d late", l.count, l.lost, l.delayed)
			}
		})
	}
}

// TestTheLongestAccessIsOneEntryOfTime is about systems that take no entry of
// more than a day.
func TestTheLongestAccessIsOneEntryOfTime(t *testing.T) {
	for name, d := range timed() {
		id, now, key := d.add(d.company("Aviary"), "Printer"), time.Now(), "jitney:g:time:1"
		timer, _ := ticket.As[ticket.Timer](d.open(t))
		_, err := timer.BookTime(t.Context(), id, ticket.TimeEntry{Key: key, Text: "Access\n[" + key + "]", Minutes: int64(access.Ceiling / time.Minute), From: now.Add(-access.Ceiling), To: now})
		if refs, ferr := timer.Times(t.Context(), id, key); err != nil || ferr != nil || len(refs) != 1 {
			t.Errorf("%s: %v, %v, %v", name, refs, err, ferr)
		}
	}
}
