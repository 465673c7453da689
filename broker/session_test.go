package broker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jitney/access"
	"jitney/broker"
	"jitney/secret"
	"jitney/target"
)

// A vault is a cloud account of which sessions are issued, in memory.
type vault struct {
	mu     sync.Mutex
	denied map[string]bool // by account
	asked  []target.SessionAsk
	fail   error
	during func()        // while a session is being issued
	max    time.Duration // what its roles say that they allow
	most   time.Duration // what they really allow; zero: anything
}

func (v *vault) Observe(_ context.Context, a access.Account) (access.Observation, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := access.Observation{At: time.Now(), Exists: true, Username: "session-" + a.ID, ObjectID: a.ID}
	seen.Entitlements = slices.Clone(a.Wanted)
	for _, i := range a.Issued {
		if !v.denied[a.ID] && time.Now().Before(i.EndsAt) && !slices.Contains(seen.Entitlements, i.Entitlement) {
			seen.Entitlements = append(seen.Entitlements, i.Entitlement)
		}
	}
	seen.Enabled = len(seen.Entitlements) > 0
	return seen, nil
}

func (v *vault) Apply(context.Context, access.Account, access.Want, secret.Text) error { return nil }

func (v *vault) Remove(_ context.Context, a access.Account) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.denied[a.ID] = true
	return nil
}

func (v *vault) Session(_ context.Context, a access.Account, ask target.SessionAsk) (target.Keys, error) {
	v.mu.Lock()
	during, fail := v.during, v.fail
	v.asked = append(v.asked, ask)
	v.mu.Unlock()
	if during != nil {
		during()
	}
	if fail != nil {
		return target.Keys{}, fail
	}
	var notices []string
	ends := time.Now().Add(ask.Length)
	if v.most > 0 && v.most < ask.Length {
		ends, notices = time.Now().Add(v.most), []string{"Cut to " + v.most.String() + "."}
	}
	if ask.Until.Before(ends) {
		ends = ask.Until
	}
	return target.Keys{ID: "ASIAEXAMPLE", Secret: secret.New("s"), Token: secret.New("t"), Name: "session-" + a.ID, EndsAt: ends, ExpiresAt: ends.Add(time.Minute), Notices: notices}, nil
}

func (v *vault) Console(context.Context, target.Keys, target.Place) (secret.Text, error) {
	return secret.New("https://console.example/login"), nil
}

func (v *vault) Longest(context.Context, string) (time.Duration, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.max, nil
}

func (v *vault) SetLongest(_ context.Context, _ string, d time.Duration) (time.Duration, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.max = d
	return d, nil
}

// withVault connects the customer aviary to a cloud account.
func withVault(t *testing.T) (*world, *vault) {
	t.Helper()
	v := &vault{denied: map[string]bool{}, max: time.Hour}
	kind := target.Kind{Name: "vault", Title: "Cloud", Icon: "cloud", Sessions: true,
		Entitlements: func(s target.Settings) []target.Entitlement {
			all := []target.Entitlement{{Name: "tenant", Title: "Tenant"}, {Name: "admin", Title: "Admin", Admin: true, Leads: "admin of 402177831190"}}
			if s.Values["admin_role"] == "none" {
				return all[:1]
			}
			return all
		},
		Open: func(context.Context, string, target.Settings) (target.System, error) { return v, nil }}
	w := newWorldOf(t, kind)
	_, err := w.store.Targets.SaveTarget(w.ctx, access.Target{ID: "cloud-aviary", Customer: "aviary", Kind: "vault", Name: "Cloud of aviary",
		Policy: access.SessionPolicy().Name, Settings: map[string]string{"account": "402177831190", "region": "eu-west-2"}, CreatedAt: time.Now()}, nil)
	check(t, err)
	w.admin.Roles, w.admin.AllCustomers = append(w.admin.Roles, access.Requester), true
	w.admin, err = w.store.People.SavePerson(w.ctx, w.admin)
	check(t, err)
	return w, v
}

func keys() broker.SessionAsk {
	return broker.SessionAsk{Tenant: "customer AVIARY", For: access.ForKeys, From: broker.Caller{Via: access.ViaCLI, Machine: "laptop"}}
}

func (w *world) issue(who access.Person, ask broker.SessionAsk) broker.SessionAnswer {
	w.t.Helper()
	answer, err := w.Sessions.Issue(w.ctx, who, ask)
	check(w.t, err)
	return answer
}

// refused demands that a session is refused, with every one of the words.
func (w *world) refused(who access.Person, ask broker.SessionAsk, kind access.Kind, words ...string) {
	w.t.Helper()
	answer, err := w.Sessions.Issue(w.ctx, who, ask)
	if access.KindOf(err) != kind || err == nil {
		w.t.Fatalf("got %v (%+v), want an error of kind %v", err, answer.Session, kind)
	}
	e, _ := errors.AsType[*access.Error](err)
	said := err.Error()
	if e != nil {
		said = e.Text + " " + e.Hint
	}
	for _, word := range words {
		if !strings.Contains(said, word) {
			w.t.Errorf("%q does not say %q", said, word)
		}
	}
	if answer.Keys.ID != "" {
		w.t.Error("keys came with the refusal")
	}
}

func (w *world) flip(name string, on bool) {
	w.t.Helper()
	check(w.t, w.Sessions.Switch(w.ctx, w.admin, name, on))
}

func TestOneClickGivesKeysThatEndWithTheirGrant(t *testing.T) {
	w, v := withVault(t)
	first := w.issue(w.maya, keys())
	if first.Keys.ID == "" || first.Grant.Policy != "sessions" || first.Grant.Duration != time.Hour {
		t.Fatalf("got %+v from grant %+v", first.Session, first.Grant)
	}
	w.settle()
	w.want(first.Grant.ID, access.Active)
	if second := w.issue(w.maya, keys()); second.Grant.ID != first.Grant.ID {
		t.Error("a second call made another grant while the first is live")
	}
	if n := w.events(first.Grant.ID, access.EventSession); n != 2 {
		t.Errorf("%d sessions are in the audit log, want 2", n)
	}
	_, err := w.Access.End(w.ctx, w.maya, first.Grant.ID)
	check(t, err)
	ask := keys()
	ask.Grant = first.Grant.ID
	w.refused(w.maya, ask, access.Conflict, "is over")
	w.settle()
	w.want(first.Grant.ID, access.Ended)
	if !v.denied[first.Grant.Account] {
		t.Error("the grant is called ended, and its keys were not denied")
	}
	rows, err := w.Sessions.Since(w.ctx, w.maya, time.Now().Add(-time.Hour))
	check(t, err)
	if len(rows) != 2 || rows[0].State != access.Ended {
		t.Errorf("sessions of today are %+v", rows)
	}
}

func TestKeysOfAGrantThatEndsMeanwhileAreThrownAway(t *testing.T) {
	w, v := withVault(t)
	first := w.issue(w.maya, keys())
	w.settle()
	v.during = func() {
		_, err := w.Access.Revoke(w.ctx, w.admin, broker.Scope{Grant: first.Grant.ID}, "Enough of this.")
		check(t, err)
		w.settle()
	}
	ask := keys()
	ask.Grant = first.Grant.ID
	w.refused(w.maya, ask, access.Conflict, "is over")
	w.want(first.Grant.ID, access.Ended)
}

func TestALookThatASessionOvertookDecidesAgain(t *testing.T) {
	w, _ := withVault(t)
	first := w.issue(w.maya, keys())
	w.settle()
	g, err := w.store.Grants.Grant(w.ctx, first.Grant.ID)
	check(t, err)
	w.issue(w.maya, keys())
	later, err := w.store.Grants.Grant(w.ctx, first.Grant.ID)
	check(t, err)
	if later.Version == g.Version {
		t.Error("a session leaves the grant's version as it was, so a look that does not know of it could end the grant")
	}
}

func TestSwitchesBindEveryWayInAtOnce(t *testing.T) {
	w, _ := withVault(t)
	admin := keys()
	admin.Admin, admin.Ticket, admin.Reason = true, "open-aviary", "Moving the account to another organisation."
	w.refused(w.admin, admin, access.Denied, "Enable Admin AWS JIT Access On UI", "off", "administrator can change it")
	_, err := w.Access.Submit(w.ctx, w.admin, broker.Submission{Customer: "aviary", Target: "cloud-aviary", Entitlement: "admin", Ticket: "open-aviary", Minutes: 15, Reason: admin.Reason})
	if err == nil {
		t.Error("the form gives what the switch forbids")
	}
	w.flip(access.SwitchAdmin, true)
	w.issue(w.admin, admin)
	w.refused(w.maya, admin, access.Denied, "administrators only")

	w.issue(w.maya, keys())
	w.flip(access.SwitchNonAdmin, true)
	w.refused(w.maya, keys(), access.Denied, "Disable Non-Admin AWS JIT Access On UI", "on")
	w.issue(w.admin, admin)
	w.flip(access.SwitchAdmin, false)
	w.refused(w.admin, admin, access.Denied, "Enable Admin")
	if err := w.Sessions.Switch(w.ctx, w.maya, access.SwitchNonAdmin, false); access.KindOf(err) != access.NotFound {
		t.Errorf("somebody who is no administrator flips a switch: %v", err)
	}
}

func TestWhoGetsNoSession(t *testing.T) {
	w, _ := withVault(t)
	w.flip(access.SwitchAdmin, true)
	w.refused(w.auditor, keys(), access.Denied, "only read")
	w.refused(w.outsider, keys(), access.NotFound)
	none := keys()
	none.Tenant = "no such"
	w.refused(w.maya, none, access.NotFound)
	scoped := keys()
	scoped.From.Customers = []string{"kestrel"}
	w.refused(w.maya, scoped, access.NotFound)
	tame := keys()
	tame.Admin, tame.From.NoAdmin = true, true
	w.refused(w.admin, tame, access.Denied, "without admin access")
}

func TestAdminSessionsWantTicketAndReason(t *testing.T) {
	w, _ := withVault(t)
	w.flip(access.SwitchAdmin, true)
	ask := keys()
	ask.Admin = true
	w.refused(w.admin, ask, access.Invalid, "Ticket is required")
	ask.Ticket, ask.Reason = "open-aviary", "Repairing the trust of a role."
	if answer := w.issue(w.admin, ask); answer.Grant.Ticket.ID != "open-aviary" || !answer.Admin {
		t.Errorf("got %+v", answer.Grant)
	}
}

func TestASessionWaitsForApproval(t *testing.T) {
	w, _ := withVault(t)
	policy := access.SessionPolicy()
	policy.NeedsApproval = true
	_, err := w.store.Rules.SavePolicy(w.ctx, policy)
	check(t, err)
	first := w.issue(w.maya, keys())
	if !first.Pending || first.Keys.ID != "" {
		t.Fatalf("got %+v", first)
	}
	if again := w.issue(w.maya, keys()); again.Grant.ID != first.Grant.ID {
		t.Error("asking again makes another request")
	}
	_, err = w.Access.Approve(w.ctx, w.approver, first.Grant.ID, "")
	check(t, err)
	if answer := w.issue(w.maya, keys()); answer.Keys.ID == "" || answer.Grant.ID != first.Grant.ID {
		t.Errorf("after approval: %+v", answer)
	}
}

func TestAFailureLeavesNoGrantBehind(t *testing.T) {
	w, v := withVault(t)
	v.fail = &access.Error{Kind: access.Denied, Text: "The role does not trust Jitney."}
	w.refused(w.maya, keys(), access.Denied, "does not trust")
	w.settle()
	open, err := w.store.Grants.Find(w.ctx, access.GrantQuery{Open: true, Now: time.Now()})
	check(t, err)
	if len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
}

func TestSettingsDecideHowLongASessionLasts(t *testing.T) {
	w, v := withVault(t)
	set := func(setting, place string, d time.Duration) []broker.RoleLimit {
		roles, err := w.Sessions.SetLimit(w.ctx, w.admin, access.Limit{Setting: setting, Place: place, Length: d})
		check(t, err)
		return roles
	}
	roles := set(access.SessionLength, access.AtCustomer("aviary"), 2*time.Hour)
	if len(roles) != 2 || !roles[0].Short() || !roles[1].Short() {
		t.Errorf("a length beyond the roles is not said to be: %+v", roles)
	}
	if roles = set(access.RoleMax, access.Everywhere, 4*time.Hour); len(roles) != 2 || roles[0].Read != 4*time.Hour {
		t.Errorf("the roles were not raised and read back: %+v", roles)
	}
	answer := w.issue(w.maya, keys())
	if got := v.asked[len(v.asked)-1].Length; got != 2*time.Hour || answer.Grant.Duration != 2*time.Hour {
		t.Errorf("the session may last %v in a grant of %v, want 2 h", got, answer.Grant.Duration)
	}
	settings, err := w.Sessions.Settings(w.ctx, w.admin)
	check(t, err)
	for _, row := range settings.Rows {
		if row.Length != 2*time.Hour || row.Wins.Place != access.AtCustomer("aviary") || row.RoleMax.Length != 4*time.Hour {
			t.Errorf("the page says %+v", row)
		}
	}
	if roles, err := w.Sessions.SetLimit(w.ctx, w.maya, access.Limit{Setting: access.SessionLength, Length: time.Hour}); err == nil {
		t.Errorf("somebody who is no administrator sets a limit: %+v", roles)
	}
	if set(access.SessionLength, access.AtCustomer("aviary"), 0); v.max != 4*time.Hour {
		t.Error("removing a length changed the roles")
	}
}

// A role says what counts for it: also when a setting goes, and when a target comes.
func TestRolesFollowTheirSettings(t *testing.T) {
	w, v := withVault(t)
	set := func(place string, d time.Duration) []broker.RoleLimit {
		roles, err := w.Sessions.SetLimit(w.ctx, w.admin, access.Limit{Setting: access.RoleMax, Place: place, Length: d})
		check(t, err)
		return roles
	}
	set(access.Everywhere, 2*time.Hour)
	set(access.AtCustomer("aviary"), 8*time.Hour)
	if v.max != 8*time.Hour {
		t.Fatalf("the roles allow %v", v.max)
	}
	for range 2 { // to remove what is not there changes nothing
		roles := set(access.AtCustomer("aviary"), 0)
		if v.max != 2*time.Hour || len(roles) > 0 && (roles[0].Read != 2*time.Hour || roles[0].Wanted != 2*time.Hour) {
			t.Fatalf("after the tenant's went, the roles allow %v: %+v", v.max, roles)
		}
	}
	v.max = time.Hour // the role of a target that is new
	roles, err := w.Sessions.Follow(w.ctx, w.admin, "cloud-aviary")
	if check(t, err); len(roles) != 2 || v.max != 2*time.Hour {
		t.Fatalf("the roles of the target allow %v: %+v", v.max, roles)
	}
	if roles = set(access.Everywhere, 0); len(roles) != 2 || roles[0].Wanted != 0 || roles[0].Read != 2*time.Hour || v.max != 2*time.Hour {
		t.Fatalf("roles that nothing is set for any more allow %v: %+v", v.max, roles)
	}
	v.max = time.Hour
	if roles, err = w.Sessions.Follow(w.ctx, w.admin, "cloud-aviary"); err != nil || len(roles) != 0 || v.max != time.Hour {
		t.Fatalf("where nothing is set, the roles allow %v: %+v, %v", v.max, roles, err)
	}
	if _, err = w.Sessions.Follow(w.ctx, w.maya, "cloud-aviary"); err == nil {
		t.Errorf("somebody who is no administrator has roles changed: %v", err)
	}
}

func TestASessionWaitsUntilTheTicketWasCheckedAgain(t *testing.T) {
	w, _ := withVault(t)
	policy := access.SessionPolicy()
	policy.NeedsApproval, policy.NoTicket = true, false
	_, err := w.store.Rules.SavePolicy(w.ctx, policy)
	check(t, err)
	ask := keys()
	ask.Ticket = "open-aviary"
	first := w.issue(w.maya, ask)
	w.desk.put("open-aviary", "company-of-aviary", false) // a day later it is closed
	_, err = w.Access.Approve(w.ctx, w.approver, first.Grant.ID, "")
	check(t, err)
	if answer := w.issue(w.maya, ask); !answer.Pending || answer.Keys.ID != "" {
		t.Errorf("keys were issued for a ticket that is closed: %+v", answer.Session)
	}
	w.settle()
	ask.Grant = first.Grant.ID
	w.refused(w.maya, ask, access.Conflict, "is over")

	w.desk.put("open-aviary", "company-of-aviary", true)
	ask.Grant = ""
	second := w.issue(w.maya, ask)
	_, err = w.Access.Approve(w.ctx, w.approver, second.Grant.ID, "")
	check(t, err)
	w.settle()
	if answer := w.issue(w.maya, ask); answer.Keys.ID == "" || answer.Grant.ID != second.Grant.ID {
		t.Errorf("once it was checked: %+v", answer)
	}
	w.flip(access.SwitchAdmin, true)
	ask.Admin, ask.Reason = true, "Repairing the trust of a role."
	for range 2 { // one that was checked a moment ago waits for nothing
		if answer := w.issue(w.admin, ask); answer.Pending || answer.Keys.ID == "" {
			t.Errorf("asked for a moment ago: %+v", answer)
		}
	}
}

func TestTwoTenantsOfOneNameAreNotTakenForEachOther(t *testing.T) {
	w, _ := withVault(t)
	twin, err := w.store.Customers.SaveCustomer(w.ctx, access.Customer{ID: "aaa-twin", Name: "customer Aviary", CreatedAt: time.Now()})
	check(t, err)
	w.issue(w.maya, keys()) // who may not know of the other one
	w.refused(w.admin, keys(), access.Invalid, "several tenants")
	ask := keys()
	ask.Tenant, ask.Customer = "", "aviary"
	if answer := w.issue(w.admin, ask); answer.Customer.ID == twin.ID {
		t.Error("the wrong one")
	}
}

func TestWithoutATenantTheOneThatCanBeMeantIs(t *testing.T) {
	w, _ := withVault(t)
	ask := keys()
	ask.Tenant = ""
	if got := w.issue(w.maya, ask); got.Customer.ID != "aviary" {
		t.Errorf("got keys for %s", got.Customer.Name)
	}
	ask.Tenant = "aviary" // an ID, as duplo-jit sends it
	w.issue(w.maya, ask)
	_, err := w.store.Targets.SaveTarget(w.ctx, access.Target{ID: "cloud-kestrel", Customer: "kestrel", Kind: "vault", Name: "Cloud of kestrel", Policy: "sessions", CreatedAt: time.Now()}, nil)
	check(t, err)
	ask = keys()
	ask.Tenant = ""
	w.refused(w.admin, ask, access.Invalid, "there are several")
	w.flip(access.SwitchAdmin, true)
	ask.Admin, ask.Ticket, ask.Reason = true, "open-aviary", "The account as a whole has to be looked at."
	if got := w.issue(w.admin, ask); !got.Admin {
		t.Error("the one account that both tenants lead to was not found")
	}
}
