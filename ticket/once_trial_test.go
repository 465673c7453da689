package ticket_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	simkaseya "jitney/sim/kaseyabms"
)

// TestEachNoteIsThereOnceOnKaseyaBMS writes notes while the network loses three
// of ten answers and delays three of ten requests. They are few, for the
// connector keeps to some hundred calls at once, and the trial looks far more
// often than the product does.
func TestEachNoteIsThereOnceOnKaseyaBMS(t *testing.T) {
	t.Parallel()
	d := kaseyaTrial()
	srv := httptest.NewServer(d.sim)
	defer srv.Close()
	company := d.company("Aviary")
	var tickets []string
	for i := range 3 {
		tickets = append(tickets, d.add(company, fmt.Sprint("Ticket ", i)))
	}
	const late = 100 * time.Millisecond
	l, proxied := newLossy(t, srv.URL, late, func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/notes")
	})
	once(t, l, d.at(t, proxied), d.at(t, srv.URL), tickets, 5)
	if texts, internal := d.sim.(*simkaseya.Server).Notes("[jitney:trial-"); len(texts) != 15 || !internal {
		t.Errorf("the desk holds %d notes, internal %v; want 15", len(texts), internal)
	}
}
