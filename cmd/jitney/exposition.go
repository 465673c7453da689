package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Metrics in the text format of Prometheus, version 0.0.4. Its own library for
// Go does this too, and costs each start of the program, also one that only
// prints keys, more than anything else that is linked in.
// https://prometheus.io/docs/instrumenting/exposition_formats/

// A tally counts, for each value of its labels. It is safe for concurrent
// use.
type tally struct {
	name, help string
	labels     []string

	mu  sync.Mutex
	all map[string]float64 // by the values of the labels, joined by separator
}

// separator is in no UTF-8 text, and so in no value of a label.
const separator = "\xff"

func newTally(name, help string, labels ...string) *tally {
	return &tally{name: name, help: help, labels: labels, all: map[string]float64{}}
}

func (c *tally) inc(values ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[strings.Join(values, separator)]++
}

func (c *tally) write(b *bytes.Buffer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	writeHead(b, c.name, c.help, "counter")
	for _, values := range sorted(c.all) {
		writeSample(b, c.name, c.all[values], pairs(c.labels, values)...)
	}
}

// A histogram counts what was observed in buckets, for each value of its
// labels. It is safe for concurrent use.
type histogram struct {
	name, help string
	bounds     []float64 // upper ones, ascending
	labels     []string

	mu  sync.Mutex
	all map[string]*buckets // as in tally
}

type buckets struct {
	counts []float64 // one for each bound
	count  float64
	sum    float64
}

func newHistogram(name, help string, bounds []float64, labels ...string) *histogram {
	h := &histogram{name: name, help: help, bounds: bounds, labels: labels, all: map[string]*buckets{}}
	if len(labels) == 0 {
		h.begin()
	}
	return h
}

// begin makes a series that is there before anything is observed.
func (h *histogram) begin(values ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of(strings.Join(values, separator))
}

func (h *histogram) of(values string) *buckets {
	s := h.all[values]
	if s == nil {
		s = &buckets{counts: make([]float64, len(h.bounds))}
		h.all[values] = s
	}
	return s
}

func (h *histogram) observe(v float64, values ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.of(strings.Join(values, separator))
	if i, _ := slices.BinarySearch(h.bounds, v); i < len(h.bounds) {
		s.counts[i]++
	}
	s.count++
	s.sum += v
}

func (h *histogram) write(b *bytes.Buffer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	writeHead(b, h.name, h.help, "histogram")
	for _, values := range sorted(h.all) {
		s, labels, below := h.all[values], pairs(h.labels, values), 0.
		for i, bound := range h.bounds {
			below += s.counts[i]
			writeSample(b, h.name+"_bucket", below, append(slices.Clip(labels), "le", number(bound))...)
		}
		writeSample(b, h.name+"_bucket", s.count, append(slices.Clip(labels), "le", "+Inf")...)
		writeSample(b, h.name+"_sum", s.sum, labels...)
		writeSample(b, h.name+"_count", s.count, labels...)
	}
}

// pairs are labels with their values.
func pairs(labels []string, values string) (all []string) {
	for i, value := range strings.Split(values, separator) {
		if i < len(labels) {
			all = append(all, labels[i], value)
		}
	}
	return all
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func writeHead(b *bytes.Buffer, name, help, kind string) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// writeSample writes one sample. Labels are names and values in turn.
func writeSample(b *bytes.Buffer, name string, v float64, labels ...string) {
	b.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		open := ","
		if i == 0 {
			open = "{"
		}
		fmt.Fprintf(b, `%s%s="%s"`, open, labels[i], strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(labels[i+1]))
	}
	if len(labels) > 0 {
		b.WriteByte('}')
	}
	b.WriteString(" " + number(v) + "\n")
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// writeProcess writes the usual series about a process and its Go runtime, by
// their usual names. What only Linux tells is left out elsewhere.
func writeProcess(b *bytes.Buffer, began time.Time) {
	one := func(name, help, kind string, v float64, labels ...string) {
		writeHead(b, name, help, kind)
		writeSample(b, name, v, labels...)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	one("go_info", "The version of Go.", "gauge", 1, "version", runtime.Version())
	one("go_goroutines", "Goroutines that exist.", "gauge", float64(runtime.NumGoroutine()))
	one("go_gc_cycles_total", "Garbage collections that were completed.", "counter", float64(m.NumGC))
	one("go_memstats_alloc_bytes", "Bytes of the heap in use.", "gauge", float64(m.Alloc))
	one("go_memstats_alloc_bytes_total", "Bytes that were ever allocated on the heap.", "counter", float64(m.TotalAlloc))
	one("go_memstats_sys_bytes", "Bytes got from the operating system.", "gauge", float64(m.Sys))
	one("process_start_time_seconds", "When the server began, in seconds since 1970.", "gauge", float64(began.UnixMilli())/1000)
	// The fields after the name, which stands in parentheses: proc(5), 14, 15 and 24.
	if stat, err := os.ReadFile("/proc/self/stat"); err == nil {
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		field := func(n int) (v float64) {
			if n-3 < len(fields) {
				v, _ = strconv.ParseFloat(fields[n-3], 64)
			}
			return v
		}
		const ticks = 100 // a second, on every Linux that Go runs on
		one("process_cpu_seconds_total", "Time on processors.", "counter", (field(14)+field(15))/ticks)
		one("process_resident_memory_bytes", "Memory in use.", "gauge", field(24)*float64(os.Getpagesize()))
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		one("process_open_fds", "Files and connections that are open.", "gauge", float64(len(open)))
	}
	if limits, err := os.ReadFile("/proc/self/limits"); err == nil {
		for line := range strings.Lines(string(limits)) {
			if words := strings.Fields(line); strings.HasPrefix(line, "Max open files") && len(words) > 3 {
				if most, err := strconv.ParseFloat(words[3], 64); err == nil {
					one("process_max_fds", "How many may be open.", "gauge", most)
				}
			}
		}
	}
}
