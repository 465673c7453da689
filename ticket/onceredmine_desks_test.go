//go:build desks

package ticket_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"jitney/lab"
)

// TestEachNoteIsThereOnceOnTheRealRedmine is the trial on the real one, with
// fewer notes, for on a busy machine it needs some seconds for each, and 200
// would outlast the time that the tests have.
func TestEachNoteIsThereOnceOnTheRealRedmine(t *testing.T) {
	t.Parallel()
	real := lab.RunRedmine(t)
	project := real.Project(t)
	var tickets []string
	for i := range 8 {
		body, _ := json.Marshal(map[string]any{"issue": map[string]any{"project_id": project, "subject": fmt.Sprint("Trial ", i), "tracker_id": 1, "status_id": 1, "priority_id": 2}})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, real.URL+"/issues.json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Redmine-API-Key", real.Admin)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var made struct{ Issue struct{ ID int } }
		err = json.NewDecoder(resp.Body).Decode(&made)
		resp.Body.Close()
		if err != nil || made.Issue.ID == 0 {
			t.Fatalf("status %d: %v", resp.StatusCode, err)
		}
		tickets = append(tickets, strconv.Itoa(made.Issue.ID))
	}
	const late = 2 * time.Second
	l, proxied := newLossy(t, real.URL, late, isUpdate)
	once(t, l, openRedmine(t, proxied, real.Key), openRedmine(t, real.URL, real.Key), tickets, 5)
}
