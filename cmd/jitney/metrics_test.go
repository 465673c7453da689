package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/reconcile"
	"jitney/schedule"
)

func TestMetricsAreInTheTextFormatOfPrometheus(t *testing.T) {
	tally, hist := newTally("calls_total", "Calls.", "kind", "code"), newHistogram("late_seconds", "Late.", []float64{.5, 1, 30}, "queue")
	tally.inc("fake", "ok")
	tally.inc("fake", "ok")
	tally.inc("a\\b\"c\nd", "no")
	for _, v := range []float64{.5, .6, 2, 31, math.Inf(1)} {
		hist.observe(v, "work")
	}
	var b bytes.Buffer
	tally.write(&b)
	hist.write(&b)
	newHistogram("empty_seconds", "Nothing yet.", []float64{1}).write(&b)
	newTally("none_total", "Nothing.", "what").write(&b)
	want := `# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{kind="a\\b\"c\nd",code="no"} 1
calls_total{kind="fake",code="ok"} 2
# HELP late_seconds Late.
# TYPE late_seconds histogram
late_seconds_bucket{queue="work",le="0.5"} 1
late_seconds_bucket{queue="work",le="1"} 2
late_seconds_bucket{queue="work",le="30"} 3
late_seconds_bucket{queue="work",le="+Inf"} 5
late_seconds_sum{queue="work"} +Inf
late_seconds_count{queue="work"} 5
# HELP empty_seconds Nothing yet.
# TYPE empty_seconds histogram
empty_seconds_bucket{le="1"} 0
empty_seconds_bucket{le="+Inf"} 0
empty_seconds_sum 0
empty_seconds_count 0
# HELP none_total Nothing.
# TYPE none_total counter
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestMetricsOfAServer(t *testing.T) {
	m := newMetrics()
	m.done("work")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			m.called("fake", "ok")
			m.done("accounts")(schedule.Done{Late: 20 * time.Millisecond})
			m.counted(reconcile.CountEnded, 3*time.Second)
		})
	}
	var failed error
	get := func(read func(context.Context) (counts, error)) string {
		w := httptest.NewRecorder()
		m.serve(read, func(err error) { failed = err }).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if w.Code != 200 || w.Header().Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		return w.Body.String()
	}
	get(func(context.Context) (counts, error) { return counts{}, nil }) // while it is counted
	wg.Wait()
	all := get(func(context.Context) (counts, error) {
		return counts{grants: map[access.State]int{access.Overdue: 2, access.Blocked: 1}, overdueFor: 1500 * time.Millisecond,
			jobs: map[string]map[string]int{"work": {"due": 4}, "accounts": {"due": 1, "claimed": 3}}, checkpointPassed: -1}, nil
	})
	for _, line := range []string{
		`jitney_grants{state="active"} 0`, `jitney_grants{state="blocked"} 1`, `jitney_overdue_grants 3`, `jitney_removal_overdue_seconds 1.5`,
		`jitney_jobs{queue="accounts",state="claimed"} 3`, `jitney_jobs{queue="work",state="due"} 4`, `jitney_audit_unsealed_records 0`,
		`jitney_provider_requests_total{provider="fake",code="ok"} 50`, `jitney_reconciler_events_total{what="ended"} 50`,
		`jitney_removal_lag_seconds_bucket{le="2.5"} 0`, `jitney_removal_lag_seconds_bucket{le="5"} 50`, `jitney_removal_lag_seconds_sum 150`,
		`jitney_schedule_late_seconds_bucket{queue="accounts",le="0.05"} 50`, `jitney_schedule_late_seconds_count{queue="work"} 0`, `process_resident_memory_bytes `, `process_open_fds `, `process_max_fds `,
		`process_cpu_seconds_total `, `go_goroutines `,
	} {
		if !strings.Contains(all, "\n"+line) {
			t.Errorf("no line %s", line)
		}
	}
	if strings.Contains(all, "jitney_audit_checkpoint_age_seconds") {
		t.Error("a checkpoint that never was has an age")
	}
	// Each line is a comment or a sample, and each series stands once and after its type.
	form, seen, typed := regexp.MustCompile(`^([a-z_]+)(\{[^{}]+\})? (\d\S*)$`), map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(all) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			typed[strings.Fields(name)[0]] = true
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		p := form.FindStringSubmatch(line)
		if p == nil || seen[p[1]+p[2]] {
			t.Errorf("not a sample, or there twice: %s", line)
			continue
		}
		seen[p[1]+p[2]] = true
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(p[1], "_bucket"), "_sum"), "_count")
		if !typed[p[1]] && !typed[base] {
			t.Errorf("no type before %s", line)
		}
	}
	down := errors.New("the database is away")
	if all := get(func(context.Context) (counts, error) { return counts{}, down }); failed != down || strings.Contains(all, "jitney_grants") || !strings.Contains(all, "jitney_removal_lag_seconds_count 50") {
		t.Errorf("without the database: %v\n%s", failed, all)
	}
}
