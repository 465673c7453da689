package broker_test

import "testing"

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
