package broker_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"jitney/access"
	"jitney/broker"
)

func TestWhatAPersonHasAtAPlaceIsEndedEarly(t *testing.T) {
	token := func(admin bool, customers ...string) broker.Caller {
		return broker.Caller{Via: access.ViaToken, Token: "t1", Machine: "runner", NoAdmin: !admin, Customers: customers}
	}
	for _, row := range []struct {
		name  string
		who   func(w *world) access.Person // nil: maya, who holds the tenant scope
		ask   broker.SessionAsk
		prior func(w *world, ask *broker.SessionAsk, grant access.Grant)
		kind  access.Kind // of the error; zero: it is ended
		words string
	}{
		{name: "by name", ask: broker.SessionAsk{Tenant: "customer AVIARY"}},
		{name: "by the tenant's ID", ask: broker.SessionAsk{Customer: "aviary"}},
		{name: "the only one, without a name", ask: broker.SessionAsk{}},
		{name: "by a token that is for the tenant", ask: broker.SessionAsk{Tenant: "aviary", From: token(false, "aviary")}},
		{name: "by the grant", prior: func(_ *world, ask *broker.SessionAsk, g access.Grant) { ask.Grant = g.ID }},
		{name: "while a switch forbids new ones", ask: broker.SessionAsk{Tenant: "aviary"}, prior: func(w *world, _ *broker.SessionAsk, _ access.Grant) { w.flip(access.SwitchNonAdmin, true) }},
		{name: "after the person lost the role and the customer", ask: broker.SessionAsk{Tenant: "aviary"}, prior: func(w *world, _ *broker.SessionAsk, _ access.Grant) {
			w.maya.Roles, w.maya.Customers = []access.Role{access.Auditor}, nil
			var err error
			w.maya, err = w.store.People.SavePerson(w.ctx, w.maya)
			check(w.t, err)
		}},
		{name: "not by a token for another tenant", ask: broker.SessionAsk{Tenant: "aviary", From: token(false, "kestrel")}, kind: access.NotFound, words: "no AWS access there"},
		{name: "not by the grant and a token for another tenant", ask: broker.SessionAsk{From: token(true, "kestrel")}, prior: func(_ *world, ask *broker.SessionAsk, g access.Grant) { ask.Grant = g.ID }, kind: access.NotFound, words: "no AWS access there"},
		{name: "not by a person who has none there", who: func(w *world) access.Person { return w.noor }, ask: broker.SessionAsk{Tenant: "aviary"}, kind: access.NotFound, words: "no AWS access there"},
		{name: "not by the grant of somebody else", who: func(w *world) access.Person { return w.admin }, prior: func(_ *world, ask *broker.SessionAsk, g access.Grant) { ask.Grant = g.ID }, kind: access.NotFound, words: "no AWS access there"},
		{name: "not at another tenant", ask: broker.SessionAsk{Tenant: "kestrel"}, kind: access.NotFound, words: "no AWS access there"},
		{name: "not at a tenant that does not exist", ask: broker.SessionAsk{Tenant: "nonesuch"}, kind: access.NotFound, words: "no AWS access there"},
		{name: "not the tenant's by asking for the account's", ask: broker.SessionAsk{Tenant: "aviary", Admin: true}, kind: access.NotFound, words: "no AWS access there"},
		{name: "nothing of the account by a token without admin access", ask: broker.SessionAsk{Tenant: "aviary", Admin: true, From: token(false)}, kind: access.Denied, words: "without admin access"},
		{name: "not what is ending already", ask: broker.SessionAsk{Tenant: "aviary"}, prior: func(w *world, _ *broker.SessionAsk, g access.Grant) {
			_, err := w.Access.End(w.ctx, w.maya, g.ID)
			check(w.t, err)
		}, kind: access.Conflict, words: "is over"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w, _ := withVault(t)
			held := w.issue(w.maya, keys()).Grant
			w.settle()
			if row.prior != nil {
				row.prior(w, &row.ask, held)
			}
			who := w.maya
			if row.who != nil {
				who = row.who(w)
			}
			got, err := w.Sessions.End(w.ctx, who, row.ask)
			if row.words != "" {
				e, _ := errors.AsType[*access.Error](err)
				if access.KindOf(err) != row.kind || e == nil || !strings.Contains(e.Text, row.words) || len(got) > 0 {
					t.Errorf("got %v, %v", got, err)
				}
				if g, err := w.store.Grants.Grant(w.ctx, held.ID); row.kind != access.Conflict && (err != nil || !g.StoppedAt.IsZero()) {
					t.Errorf("it was refused, and the access is over (%v)", err)
				}
				return
			}
			check(t, err)
			if len(got) != 1 || got[0].ID != held.ID || got[0].StopCause != access.ByHolder {
				t.Errorf("ended %+v", got)
			}
			w.settle()
			w.want(held.ID, access.Ended)
		})
	}
}

func TestOnlyTheScopeThatIsNamedIsEnded(t *testing.T) {
	w, _ := withVault(t)
	w.flip(access.SwitchAdmin, true)
	ask := keys()
	tenant := w.issue(w.admin, ask).Grant
	ask.Admin, ask.Ticket, ask.Reason = true, "open-aviary", "The bucket policy has to be repaired."
	admin := w.issue(w.admin, ask).Grant
	got, err := w.Sessions.End(w.ctx, w.admin, broker.SessionAsk{Tenant: "aviary", Admin: true, From: broker.Caller{Via: access.ViaToken, Token: "t1", Machine: "runner"}})
	check(t, err)
	w.settle()
	if len(got) != 1 || got[0].ID != admin.ID {
		t.Errorf("ended %+v", got)
	}
	w.want(admin.ID, access.Ended)
	w.want(tenant.ID, access.Active)
	records, err := w.store.Log.Timeline(w.ctx, admin.ID)
	check(t, err)
	i := slices.IndexFunc(records, func(r access.Record) bool { return r.Kind == access.EventStopped })
	if i < 0 || records[i].Data["via"] != access.ViaToken || records[i].Data["token"] != "t1" || records[i].Data["machine"] != "runner" || records[i].Data["cause"] != string(access.ByHolder) {
		t.Errorf("the audit log does not say by what it was ended: %+v", records)
	}
	// Naming the grant does not stand for naming its scope, also when the account has no admin role any more.
	admin = w.issue(w.admin, ask).Grant
	cloud, err := w.store.Targets.Target(w.ctx, admin.Target)
	check(t, err)
	cloud.Settings["admin_role"] = "none"
	_, err = w.store.Targets.SaveTarget(w.ctx, cloud, nil)
	check(t, err)
	if _, err := w.Sessions.End(w.ctx, w.admin, broker.SessionAsk{Grant: admin.ID}); access.KindOf(err) != access.NotFound {
		t.Errorf("as the tenant's: %v", err)
	}
	_, err = w.Sessions.End(w.ctx, w.admin, broker.SessionAsk{Grant: admin.ID, Admin: true})
	check(t, err)
}

func TestARequestThatWaitsIsWithdrawn(t *testing.T) {
	w, _ := withVault(t)
	policy := access.SessionPolicy()
	policy.NeedsApproval = true
	_, err := w.store.Rules.SavePolicy(w.ctx, policy)
	check(t, err)
	waits := w.issue(w.maya, keys()).Grant
	got, err := w.Sessions.End(w.ctx, w.maya, broker.SessionAsk{Tenant: "aviary"})
	if err != nil || len(got) != 1 || got[0].ID != waits.ID || got[0].StopCause != access.ByWithdrawal {
		t.Errorf("got %+v, %v", got, err)
	}
}
