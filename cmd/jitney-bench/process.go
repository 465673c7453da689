package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A child is a core in a process of its own.
type child struct {
	cmd  *exec.Cmd
	hold io.WriteCloser
	up   time.Duration // from start of the process to up
}

// spawn starts a child and waits until it is up.
func spawn(ctx context.Context, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, append([]string{"core"}, args...)...)}
	c.cmd.Stderr = os.Stderr
	if c.hold, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	c.up = time.Since(began)
	if err != nil || !strings.HasPrefix(line, "up ") {
		_ = c.kill()
		return nil, fmt.Errorf("the child did not come up: %q %w", line, err)
	}
	return c, nil
}

// kill is kill -9.
func (c *child) kill() error {
	_ = c.cmd.Process.Kill()
	err := c.cmd.Wait()
	if _, killed := errors.AsType[*exec.ExitError](err); killed {
		return nil
	}
	return err
}

// killEnds is a storm in which the server is killed and started again.
func (o *options) killEnds(ctx context.Context, e *engine) error {
	o.printf("\nStorm with kill -9 after about a third, started again at once:")
	n := o.storms[len(o.storms)-1]
	if err := o.killOne(ctx, e, n, false); err != nil {
		return err
	}
	if !e.postgres {
		return nil
	}
	o.printf("Storm with two replicas, one of them killed after about a third, and not started again:")
	return o.killOne(ctx, e, n, true)
}

func (o *options) killOne(ctx context.Context, e *engine, n int, replica bool) error {
	ends := batch{prefix: "s", n: n}
	name, err := o.loaded(ctx, e, batch{prefix: "l", n: 1000, first: time.Now().Add(48 * time.Hour)}, &ends)
	if err != nil {
		return err
	}
	defer e.drop(ctx, name)
	done, err := os.CreateTemp(o.dir, "done") // of this storm, on this engine
	if err != nil {
		return err
	}
	file := done.Name()
	if err := done.Close(); err != nil {
		return err
	}
	core := []string{"-db", name, "-done", file, "-workers", strconv.Itoa(o.workers)}
	first, err := spawn(ctx, core...)
	if err != nil {
		return err
	}
	second := first
	if replica {
		if second, err = spawn(ctx, core...); err != nil {
			return err
		}
	}
	for lines(file) < n/3 && ctx.Err() == nil && time.Since(ends.first) < time.Minute {
		time.Sleep(2 * time.Millisecond)
	}
	killed := time.Now()
	if err := first.kill(); err != nil {
		return err
	}
	before := lines(file)
	if !replica {
		if second, err = spawn(ctx, core...); err != nil {
			return err
		}
	}
	defer second.kill()
	return o.afterKill(ctx, e, name, file, ends, killed, before)
}

// afterKill waits until everything is recorded, and tells how it went.
func (o *options) afterKill(ctx context.Context, e *engine, name, file string, ends batch, killed time.Time, before int) error {
	db, err := e.raw(name)
	if err != nil {
		return err
	}
	defer db.Close()
	left, err := untilRecorded(ctx, e, db, time.Now().Add(2*time.Minute))
	if err != nil {
		return err
	}
	recorded := time.Now()
	done, err := readDone(file)
	if err != nil {
		return err
	}
	var last time.Time
	resumed := recorded
	for _, t := range done {
		if t.After(last) {
			last = t
		}
		if t.After(killed) && t.Before(resumed) {
			resumed = t
		}
	}
	o.printf("  %6d ends: killed %.2f s after they were due, %d removed by then; next removal %.2f s after the kill; last removed %.2f s, last recorded %.2f s after due; %d removed twice, %d never recorded",
		ends.n, killed.Sub(ends.first).Seconds(), before, resumed.Sub(killed).Seconds(), last.Sub(ends.first).Seconds(), recorded.Sub(ends.first).Seconds(), lines(file)-len(done), left)
	if left > 0 || len(done) != ends.n {
		return fmt.Errorf("%d of %d ends removed, %d not recorded", len(done), ends.n, left)
	}
	return nil
}

func untilRecorded(ctx context.Context, e *engine, db *sql.DB, limit time.Time) (left int, err error) {
	for {
		if left, err = e.open(ctx, db, "s"); err != nil || left == 0 || time.Now().After(limit) {
			return left, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// lines counts the lines of a file; 0 if there is none.
func lines(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	return strings.Count(string(b), "\n")
}

// idleCosts measures start-up, memory and CPU of a core with nothing to do.
func (o *options) idleCosts(ctx context.Context, e *engine) error {
	o.printf("\nIdle process with nothing due (aims: start 150 ms; RSS 50 MB, 100 MB at 1M):")
	for _, live := range []int{o.live[0], o.live[len(o.live)-1]} {
		name, err := o.loaded(ctx, e, batch{prefix: "l", n: live, first: time.Now().Add(48 * time.Hour)}, &batch{prefix: "s"})
		if err != nil {
			return err
		}
		if err := o.idleOne(ctx, name, live); err != nil {
			return err
		}
		e.drop(ctx, name)
	}
	return nil
}

func (o *options) idleOne(ctx context.Context, name string, live int) error {
	c, err := spawn(ctx, "-db", name)
	if err != nil {
		return err
	}
	_ = c.kill() // as if it crashed: the second start has leases and a log to recover
	if c, err = spawn(ctx, "-db", name); err != nil {
		return err
	}
	defer c.kill()
	time.Sleep(time.Second)
	from := cpuOf(c.cmd.Process.Pid)
	const watch = 4 * time.Second
	time.Sleep(watch)
	cpu := cpuOf(c.cmd.Process.Pid) - from
	size := "size unknown"
	if info, err := os.Stat(name); err == nil {
		size = fmt.Sprintf("file %d MB", info.Size()>>20)
	}
	o.printf("  %9d live: up %s after the start of the process; RSS %d MB; %.1f ms CPU a second; %s",
		live, ms(c.up), memoryOf(c.cmd.Process.Pid)>>20, float64(cpu.Milliseconds())/watch.Seconds(), size)
	return nil
}

func memory() int64 { return memoryOf(os.Getpid()) }

// memoryOf is the resident size of a process, in bytes.
func memoryOf(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, resident int64
	_, _ = fmt.Sscan(string(b), &size, &resident)
	return resident * int64(os.Getpagesize())
}

// cpuOf is the processor time that a process has used.
func cpuOf(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 on Linux
}

// cpu is the processor time that the processes of the database server that we
// started have used; 0 if there is none.
func (e *engine) cpu() (sum time.Duration) {
	if e.postmaster == "" {
		return 0
	}
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		pid := filepath.Base(filepath.Dir(path))
		if fields := strings.Fields(rest); pid == e.postmaster || len(fields) > 1 && fields[1] == e.postmaster {
			if n, err := strconv.Atoi(pid); err == nil {
				sum += cpuOf(n)
			}
		}
	}
	return sum
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
