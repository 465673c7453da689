package broker_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
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

// Who got what, where, for how long and from which machine is in the audit log
// and in the list of sessions.
func TestWhatIsIssuedIsRecordedWhole(t *testing.T) {
	w, _ := withVault(t)
	ask := keys()
	ask.From = broker.Caller{Via: access.ViaToken, Token: "tok1", Application: "jitney 1.2", Machine: "runner-7", Address: "192.0.2.7"}
	got := w.issue(w.maya, ask)
	want := access.Session{ID: got.Session.ID, Grant: got.Grant.ID, Account: got.Grant.Account, Customer: "aviary", Target: "cloud-aviary", Entitlement: "tenant", Person: w.maya.ID,
		For: access.ForKeys, Via: access.ViaToken, Token: "tok1", Application: "jitney 1.2", Machine: "runner-7", Address: "192.0.2.7", Name: got.Keys.Name, KeyID: "ASIAEXAMPLE",
		IssuedAt: got.Session.IssuedAt.Truncate(time.Microsecond), EndsAt: got.Keys.EndsAt.UTC().Truncate(time.Microsecond), ExpiresAt: got.Keys.ExpiresAt.UTC().Truncate(time.Microsecond)}
	kept, err := w.Sessions.Of(w.ctx, w.maya, got.Grant.ID)
	check(t, err)
	if len(kept) != 1 || kept[0] != want || want.ID == "" || time.Since(want.IssuedAt).Abs() > time.Hour {
		t.Errorf("kept is %+v, want %+v", kept, want)
	}
	records, err := w.store.Log.Timeline(w.ctx, got.Grant.ID)
	check(t, err)
	i := slices.IndexFunc(records, func(r access.Record) bool { return r.Kind == access.EventSession })
	if i < 0 {
		t.Fatal("nothing is in the audit log")
	}
	e := records[i]
	data := map[string]string{"session": want.ID, "name": want.Name, "key": "ASIAEXAMPLE", "scope": "tenant", "for": "keys", "via": "token", "token": "tok1",
		"application": "jitney 1.2", "machine": "runner-7", "address": "192.0.2.7", "ends": want.EndsAt.Format(time.RFC3339), "expires": want.ExpiresAt.Format(time.RFC3339)}
	if e.Actor != w.maya.ID || e.Customer != "aviary" || e.Subject != "cloud-aviary" || !maps.Equal(e.Data, data) {
		t.Errorf("the audit log says %+v, want %v", e, data)
	}
}

// A refusal is recorded with who and from where, and once only for a program
// that asks again and again.
func TestARefusalIsRecordedOnce(t *testing.T) {
	w, _ := withVault(t)
	ask := keys()
	ask.Admin, ask.From.Address = true, "192.0.2.7"
	refusals := func() (found []access.Record) {
		records, err := w.store.Log.Records(w.ctx, access.RecordQuery{Kind: access.EventSessionRefused})
		check(t, err)
		return records
	}
	for range 5 {
		w.refused(w.maya, ask, access.Denied, "administrators only")
	}
	all := refusals()
	data := map[string]string{"scope": "admin", "for": "keys", "via": "cli", "machine": "laptop", "address": "192.0.2.7"}
	if len(all) != 1 || all[0].Actor != w.maya.ID || all[0].Customer != "aviary" || all[0].Subject != "cloud-aviary" || !maps.Equal(all[0].Data, data) ||
		all[0].Text != "Refused a session on Cloud of aviary, from the command line: Admin AWS access is for administrators only. Ask for the tenant scope, or ask an administrator." {
		t.Fatalf("recorded is %+v", all)
	}
	ask.Admin = false
	w.issue(w.maya, ask)
	w.flip(access.SwitchNonAdmin, true)
	w.refused(w.maya, ask, access.Denied, "is on")
	if all = refusals(); len(all) != 2 {
		t.Errorf("another reason is not recorded: %+v", all)
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
	w.flip(access.SwitchAdmin, true)
	for _, place := range []string{access.Everywhere, access.AtCustomer("aviary"), access.AtTarget("cloud-aviary")} {
		set(place, 0)
	}
	admin := ask
	admin.Admin, admin.Ticket, admin.Reason = true, "open-aviary", "Look at the billing alarms."
	if got := w.issue(w.admin, admin); !strings.HasPrefix(strings.Join(got.Notices, " "), "Cut to 1 h: AdminJitSessionDuration is not set") {
		t.Errorf("%q was said of the admin level", got.Notices)
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
