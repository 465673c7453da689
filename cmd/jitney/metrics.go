package main

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"jitney/access"
	"jitney/reconcile"
	"jitney/schedule"
)

// metrics are what the server tells about itself. No series carries the name
// of a customer or a person.
type metrics struct {
	lag       *histogram
	lateness  *histogram
	providers *tally
	looks     *tally
}

func newMetrics() *metrics {
	return &metrics{
		lag: newHistogram("jitney_removal_lag_seconds", "From the end of a grant to the read-back that shows nothing left.",
			[]float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200}),
		lateness: newHistogram("jitney_schedule_late_seconds", "From a row being due to the start of its work.",
			[]float64{.001, .005, .01, .05, .1, .5, 1, 5, 30}, "queue"),
		providers: newTally("jitney_provider_requests_total", "Calls to targets, by kind of target and how they ended.", "provider", "code"),
		looks:     newTally("jitney_reconciler_events_total", "What the reconciler did and found.", "what"),
	}
}

// called counts a call to a target.
func (m *metrics) called(provider, code string) { m.providers.inc(provider, code) }

// done notes a finished call of a loop's handler.
func (m *metrics) done(queue string) func(schedule.Done) {
	m.lateness.begin(queue)
	return func(d schedule.Done) { m.lateness.observe(d.Late.Seconds(), queue) }
}

// counted notes what the reconciler counts.
func (m *metrics) counted(what reconcile.Measure, d time.Duration) {
	m.looks.inc(string(what))
	if what == reconcile.CountEnded {
		m.lag.observe(d.Seconds())
	}
}

// counts are the series that are facts of the database.
type counts struct {
	grants           map[access.State]int
	overdueFor       time.Duration             // of the grant that is longest overdue
	jobs             map[string]map[string]int // queue, state
	unsealed         int
	unsealedFor      time.Duration
	checkpointPassed time.Duration // since the last one; negative if there never was one
}

// write writes them as gauges.
func (n counts) write(b *bytes.Buffer) {
	gauge := func(name, help string, v float64) {
		writeHead(b, name, help, "gauge")
		writeSample(b, name, v)
	}
	writeHead(b, "jitney_grants", "Grants that have not ended, by state.", "gauge")
	for _, state := range []access.State{access.Pending, access.Starting, access.Active, access.Expiring, access.Ending, access.Overdue, access.Blocked} {
		writeSample(b, "jitney_grants", float64(n.grants[state]), "state", string(state))
	}
	gauge("jitney_overdue_grants", "Grants that do not end although they should.", float64(n.grants[access.Overdue]+n.grants[access.Blocked]))
	gauge("jitney_removal_overdue_seconds", "How long the longest overdue grant has been ending.", n.overdueFor.Seconds())
	writeHead(b, "jitney_jobs", "Rows of the schedule, by state.", "gauge")
	for _, queue := range sorted(n.jobs) {
		for _, state := range sorted(n.jobs[queue]) {
			writeSample(b, "jitney_jobs", float64(n.jobs[queue][state]), "queue", queue, "state", state)
		}
	}
	gauge("jitney_audit_unsealed_records", "Audit records that wait for their place in the log.", float64(n.unsealed))
	gauge("jitney_audit_unsealed_age_seconds", "Age of the oldest of those.", n.unsealedFor.Seconds())
	if n.checkpointPassed >= 0 {
		gauge("jitney_audit_checkpoint_age_seconds", "Since the last signed checkpoint of the audit log.", n.checkpointPassed.Seconds())
	}
}

// serve answers /metrics. If the database cannot be read, its series are
// missing and the others are there.
func (m *metrics) serve(read func(context.Context) (counts, error), failed func(error)) http.Handler {
	began := time.Now()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		var b bytes.Buffer
		if n, err := read(ctx); err == nil {
			n.write(&b)
		} else if r.Context().Err() == nil {
			failed(err)
		}
		for _, h := range []*histogram{m.lag, m.lateness} {
			h.write(&b)
		}
		for _, c := range []*tally{m.providers, m.looks} {
			c.write(&b)
		}
		writeProcess(&b, began)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(b.Bytes())
	})
}
