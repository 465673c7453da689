package broker

import (
	"testing"
	"time"

	"jitney/access"
)

// What is held in part is neither usable nor gone, and no end that only takes
// time.
func TestAPartOfARightIsNeitherHeldNorGone(t *testing.T) {
	now := time.Now()
	g := access.Grant{ID: "g", Request: access.Request{Entitlement: "role", Duration: time.Hour}, ApprovedAt: now, VerifiedAt: now}
	seen := access.Observation{At: now, Exists: true, Parts: []string{"role"}, Settling: time.Minute}
	for name, stopped := range map[string]time.Time{"wanted": {}, "to be gone": now.Add(-time.Second)} {
		g.StoppedAt = stopped
		rows := compare("Role", g, access.Case{Account: access.Account{Seen: seen}, Grants: []access.Grant{g}}, now)
		if rows[1].OK || rows[1].Found != "a part of it, or not in effect" {
			t.Errorf("%s: %+v", name, rows[1])
		}
	}
	if waits(access.Ending, seen) {
		t.Error("an end that has still something to take away looks as if it only took time")
	}
	seen.Parts = nil
	if !waits(access.Ending, seen) || !waits(access.Overdue, seen) || waits(access.Active, seen) || waits(access.Blocked, seen) {
		t.Error("an end that only takes time does not look so")
	}
}
