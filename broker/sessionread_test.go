package broker_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
)

// Who asks for less than the access that they have gets less.
func TestASessionLastsNoLongerThanWasAskedFor(t *testing.T) {
	w, v := withVault(t)
	w.issue(w.maya, keys())
	short := keys()
	short.Minutes = 10
	got := w.issue(w.maya, short)
	if len(v.asked) != 2 || v.asked[1].Length != 10*time.Minute || got.Grant.Duration != time.Hour || time.Until(got.Keys.EndsAt) > 10*time.Minute {
		t.Errorf("asked %+v, got until %v from a grant of %v", v.asked, got.Keys.EndsAt, got.Grant.Duration)
	}
	long := keys()
	long.Minutes = 600
	got = w.issue(w.maya, long)
	if v.asked[2].Length != time.Hour || !slices.Equal(got.Notices, []string{"Cut to 1 h: AWS Access Token Validity is not set (Settings, AWS sessions)."}) {
		t.Errorf("asked %+v, and %q was said", v.asked[2], got.Notices)
	}
}

// Whoever asks for more than a setting allows is told which one that is.
func TestACutByASettingIsSaid(t *testing.T) {
	w, v := withVault(t)
	ask := keys()
	ask.Minutes = 120
	set := func(place string, length time.Duration) {
		_, err := w.Sessions.SetLimit(w.ctx, w.admin, access.Limit{Setting: access.SessionLength, Place: place, Length: length})
		check(t, err)
	}
	for _, row := range []struct {
		place, says string
		length      time.Duration
	}{
		{access.Everywhere, "Cut to 50 min: AWS Access Token Validity, everywhere (Settings, AWS sessions).", 50 * time.Minute},
		{access.AtCustomer("aviary"), "Cut to 40 min: AWS Access Token Validity of the tenant (Settings, AWS sessions).", 40 * time.Minute},
		{access.AtTarget("cloud-aviary"), "Cut to 30 min: AWS Access Token Validity of this target (Settings, AWS sessions).", 30 * time.Minute},
		{access.AtTarget("cloud-aviary"), "", 2 * time.Hour},
	} {
		set(row.place, row.length)
		got := w.issue(w.maya, ask)
		if said := strings.Join(got.Notices, " "); said != row.says || got.Grant.Duration != 2*time.Hour {
			t.Errorf("%v at %q: %q was said, of a grant of %v", row.length, row.place, said, got.Grant.Duration)
		}
	}
	set(access.AtTarget("cloud-aviary"), 30*time.Minute)
	v.most = 20 * time.Minute
	if got := w.issue(w.maya, ask); len(got.Notices) != 1 || got.Notices[0] != "Cut to 20m0s." {
		t.Errorf("%q was said, want what cut it most", got.Notices)
	}
	v.most, ask.Minutes = 0, 0
	if got := w.issue(w.maya, ask); len(got.Notices) != 0 {
		t.Errorf("%q was said to who asked for no length", got.Notices)
	}
}

func TestASessionReadsNoOtherCustomers(t *testing.T) {
	w, _ := withVault(t)
	byID := keys()
	byID.Tenant, byID.Customer = "", "aviary"
	w.issue(w.maya, keys())
	w.issue(w.maya, byID)
	if n := w.listed.Load(); n != 0 {
		t.Errorf("all customers were read %d times", n)
	}
}
