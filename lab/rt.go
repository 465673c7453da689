package lab

import (
	"os"
	"strconv"
	"sync/atomic"
	"testing"
)

// Tracker says how to reach one Request Tracker.
type Tracker struct {
	URL    string
	Token  string // of a user who may see and comment on tickets of all customers
	Narrow string // of one who may in the first queue only
	Root   string // of the administrator; none of them is a secret, it is all thrown away
}

// queues counts the queues of the tracker of this test binary that were given out.
var queues atomic.Int64

// RequestTracker returns the Request Tracker 5 of this test binary, started at first use in some six seconds.
// It has the custom fields JitneyKey, of transactions, and Customer, of tickets. JITNEY_TEST_RT names the env file of
// a running one.
func RequestTracker(t testing.TB) Tracker {
	t.Helper()
	env, err := map[string]string(nil), error(nil)
	if file := os.Getenv("JITNEY_TEST_RT"); file != "" {
		env, err = readEnv(file)
	} else {
		env, err = once("rt", func() (map[string]string, error) {
			if _, err := os.Stat("/usr/share/request-tracker5/libexec/rt-server"); err != nil {
				return nil, err
			}
			return hold(nil, "rt", address(1), "8090")
		})
	}
	if err != nil {
		missing(t, "Request Tracker 5 (lab/rt install)", err)
	}
	return Tracker{URL: env["RT_URL"], Token: env["RT_JITNEY"], Narrow: env["RT_NARROW"], Root: env["RT_ROOT"]}
}

// Queue returns the id of a queue of the tracker that no other test of this binary uses, apart from the first.
func (Tracker) Queue(t testing.TB) string {
	t.Helper()
	n := queues.Add(1)
	if n >= 60 {
		t.Fatal("lab: the tracker has no more queues; make more in lab/rt.pl")
	}
	return strconv.Itoa(int(n) + 3) // 1 and 2 are Request Tracker's own, 3 is the first
}
