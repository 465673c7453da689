//go:build desks

package ticket_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"jitney/lab"
	simrt "jitney/sim/rt"
)

// TestEachNoteIsThereOnceOnTheRealRequestTracker is the trial on the real one,
// with fewer notes, for it needs a quarter of a second for each call.
func TestEachNoteIsThereOnceOnTheRealRequestTracker(t *testing.T) {
	t.Parallel()
	real := lab.RequestTracker(t)
	queue := real.Queue(t)
	var tickets []string
	for i := range 4 {
		body, _ := json.Marshal(map[string]string{"Queue": queue, "Subject": fmt.Sprint("Trial ", i), "Content": "x", "ContentType": "text/plain"})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, real.URL+"/REST/2.0/ticket", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "token "+real.Root)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var made struct{ ID string }
		err = json.NewDecoder(resp.Body).Decode(&made)
		resp.Body.Close()
		if err != nil || made.ID == "" {
			t.Fatalf("status %d: %v", resp.StatusCode, err)
		}
		tickets = append(tickets, made.ID)
	}
	const late = 2 * time.Second
	l, proxied := newLossy(t, real.URL, late, isComment)
	once(t, l, openRT(t, proxied, real.Token, simrt.KeyField), openRT(t, real.URL, real.Token, simrt.KeyField), tickets, 6)
}
