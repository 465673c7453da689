package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"jitney/access"
	"jitney/reconcile"
	"jitney/schedule"
)

// metrics are what the server tells about itself. No series carries the name
// of a customer or a person.
type metrics struct {
	registry  *prometheus.Registry
	lag       prometheus.Histogram
	lateness  *prometheus.HistogramVec
	providers *prometheus.CounterVec
	looks     *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "jitney_removal_lag_seconds", Help: "From the end of a grant to the read-back that shows nothing left.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200}}),
		lateness: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jitney_schedule_late_seconds", Help: "From a row being due to the start of its work.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 30}}, []string{"queue"}),
		providers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jitney_provider_requests_total", Help: "Calls to targets, by kind of target and how they ended."}, []string{"provider", "code"}),
	}
	m.looks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jitney_reconciler_events_total", Help: "What the reconciler did and found."}, []string{"what"})
	m.registry.MustRegister(m.lag, m.lateness, m.providers, m.looks, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// called counts a call to a target.
func (m *metrics) called(provider, code string) { m.providers.WithLabelValues(provider, code).Inc() }

// done notes a finished call of a loop's handler.
func (m *metrics) done(queue string) func(schedule.Done) {
	late := m.lateness.WithLabelValues(queue)
	return func(d schedule.Done) { late.Observe(d.Late.Seconds()) }
}

// counted notes what the reconciler counts.
func (m *metrics) counted(what reconcile.Measure, d time.Duration) {
	m.looks.WithLabelValues(string(what)).Inc()
	if what == reconcile.CountEnded {
		m.lag.Observe(d.Seconds())
	}
}

// A census reads, when somebody asks, the series that are facts of the
// database.
type census struct {
	read func(context.Context) (counts, error)

	grants, jobs                         *prometheus.Desc
	overdue, overdueSeconds              *prometheus.Desc
	checkpointAge, unsealed, unsealedAge *prometheus.Desc
}

// counts are the facts of a census.
type counts struct {
	grants           map[access.State]int
	overdueFor       time.Duration             // of the grant that is longest overdue
	jobs             map[string]map[string]int // queue, state
	unsealed         int
	unsealedFor      time.Duration
	checkpointPassed time.Duration // since the last one; negative if there never was one
}

func newCensus(read func(context.Context) (counts, error)) *census {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &census{
		read:           read,
		grants:         desc("jitney_grants", "Grants that have not ended, by state.", "state"),
		overdue:        desc("jitney_overdue_grants", "Grants that do not end although they should."),
		overdueSeconds: desc("jitney_removal_overdue_seconds", "How long the longest overdue grant has been ending."),
		jobs:           desc("jitney_jobs", "Rows of the schedule, by state.", "queue", "state"),
		checkpointAge:  desc("jitney_audit_checkpoint_age_seconds", "Since the last signed checkpoint of the audit log."),
		unsealed:       desc("jitney_audit_unsealed_records", "Audit records that wait for their place in the log."),
		unsealedAge:    desc("jitney_audit_unsealed_age_seconds", "Age of the oldest of those."),
	}
}

// Describe implements prometheus.Collector.
func (c *census) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *census) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n, err := c.read(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.grants, err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, state := range []access.State{access.Pending, access.Starting, access.Active, access.Expiring, access.Ending, access.Overdue, access.Blocked} {
		gauge(c.grants, float64(n.grants[state]), string(state))
	}
	gauge(c.overdue, float64(n.grants[access.Overdue]+n.grants[access.Blocked]))
	gauge(c.overdueSeconds, n.overdueFor.Seconds())
	for queue, states := range n.jobs {
		for state, number := range states {
			gauge(c.jobs, float64(number), queue, state)
		}
	}
	gauge(c.unsealed, float64(n.unsealed))
	gauge(c.unsealedAge, n.unsealedFor.Seconds())
	if n.checkpointPassed >= 0 {
		gauge(c.checkpointAge, n.checkpointPassed.Seconds())
	}
}

// serveMetrics answers /metrics.
func (m *metrics) serve() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, ErrorHandling: promhttp.ContinueOnError})
}
