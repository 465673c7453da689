package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
)

func TestOnlyWhatWasReadBackIsCalledEnded(t *testing.T) {
	now := time.Now()
	given := access.Grant{ID: "g", ApprovedAt: now, VerifiedAt: now, StoppedAt: now, StopCause: access.ByRevoking, EndedAt: now}
	denied := access.Grant{ID: "g", StoppedAt: now, StopCause: access.ByDenial, EndedAt: now}
	goes := given
	goes.ContinuedBy = "other"
	for _, row := range []struct {
		name string
		g    access.Grant
		text string
		code int
	}{
		{"access that was read back as gone", given, "ended, verified", 0},
		{"a request that was denied", denied, "not given (denied)", 0},
		{"access that goes on under another grant", goes, "continued (revoked)", exitNotRemoved},
	} {
		page := broker.GrantPage{GrantRow: broker.GrantRow{Grant: row.g, State: row.g.State(now), Cause: row.g.Cause(now)}}
		text := (&shell{}).status(page, false, false)
		if !strings.Contains(text, row.text) || strings.Contains(text, "verified") != (row.g.State(now) == access.Ended) {
			t.Errorf("%s: %q", row.name, text)
		}
		if l := line(page.GrantRow); l.Ended.IsZero() == (row.g.State(now) == access.Ended) || l.Over.IsZero() {
			t.Errorf("%s: %+v", row.name, l)
		}
		code, err := 0, goesOn(page)
		if f, ok := errors.AsType[*failure](err); ok {
			code = f.code
		}
		if code != row.code {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
