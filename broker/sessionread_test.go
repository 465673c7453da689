package broker_test

import (
	"testing"
	"time"
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
	w.issue(w.maya, long)
	if v.asked[2].Length != time.Hour {
		t.Errorf("asked %+v", v.asked[2])
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
