package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// outageEnds is how many grants end while the target is away.
const outageEnds = 20

// realOutage takes the target away for a while in real time, lets grants end
// in it, and tells how long after its return each was removed.
func (o *options) realOutage(ctx context.Context, e *engine) error {
	o.printf("\nOutage: the target does not answer for %s, %d grants of it end (real time; shortened from 14 minutes):", o.outage, outageEnds)
	ends := batch{prefix: "s", n: outageEnds, places: 1}
	name, err := o.loaded(ctx, e, batch{prefix: "l", n: 1000, first: time.Now().Add(48 * time.Hour)}, &ends)
	if err != nil {
		return err
	}
	defer e.drop(ctx, name)
	s := newSink(time.Millisecond)
	s.setDown(true)
	c, err := startCore(ctx, name, s, o.workers)
	if err != nil {
		return err
	}
	time.Sleep(time.Until(ends.first.Add(o.outage)))
	s.setDown(false)
	for n := 0; n < outageEnds && time.Since(s.returned) < 2*time.Minute && ctx.Err() == nil; n, _ = c.recorded.count() {
		time.Sleep(10 * time.Millisecond)
	}
	n, last := c.recorded.count()
	if err := c.stop(); err != nil {
		return err
	}
	var after []time.Duration
	for _, t := range s.done {
		after = append(after, t.Sub(s.returned))
	}
	o.printf("  %d of %d removed and recorded; first %.1f s, last %.1f s after the return; last recorded after %.1f s (%d calls were made into the outage)",
		n, outageEnds, at(after, 0).Seconds(), at(after, 1).Seconds(), last.Sub(s.returned).Seconds(), s.silence)
	if n != outageEnds {
		return fmt.Errorf("only %d of %d were removed", n, outageEnds)
	}
	return nil
}

// virtualOutage runs the same for 14 minutes in the
// virtual time of testing/synctest, with the real loop, reconciler and SQLite.
func (o *options) virtualOutage(ctx context.Context) {
	o.printf("\n## Outage of 14 minutes, in virtual time (testing/synctest, real store on SQLite, reconciler and loop)")
	out, err := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "^TestOutage", "./cmd/jitney-bench").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if _, text, ok := strings.Cut(line, "measured: "); ok {
			o.printf("  %s", strings.TrimSpace(text))
		}
	}
	if err != nil {
		o.printf("  not measured (run this in the root of the module): %v", err)
	}
}

// openBao tells what another program did, which was measured before and is not
// measured here.
func openBao(out io.Writer) {
	fmt.Fprintln(out, `
For comparison, OpenBao 2.6.2, taken from an earlier measurement on a machine of this kind (2 CPUs, same disk), not from this run:
  10,000 leases expiring at once, revocation that does nothing: 2.6 s in memory, 4.7 s on disk (raft); with kill -9 in between 5.6 s, unsealed at once by a script.
  LDAP directory away for 14 minutes, 20 leases: 20 of 20 were never revoked. All 20 accounts still existed 65 s after the
  directory's return, and nothing tries again: six attempts, about 7 minutes, then "irrevocable".`)
}
