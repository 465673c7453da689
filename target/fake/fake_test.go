package fake_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/secret"
	"jitney/target"
	"jitney/target/fake"
	"jitney/target/targettest"
)

func TestThePracticeTargetKeepsItsPromises(t *testing.T) {
	realm := fake.NewRealm()
	var n atomic.Int64
	targettest.Run(t, targettest.Peer{
		Open: func(*testing.T) target.System { return realm.Open() },
		Account: func(*testing.T) access.Account {
			i := n.Add(1)
			return access.Account{ID: fmt.Sprintf("mark-%d", i), Holder: access.Holder{Person: fmt.Sprint(i), Login: fmt.Sprintf("person%d@msp.example", i), Name: "Person"}}
		},
		Entitlements: []string{fake.Admin, fake.Helper},
		SignIn: func(_ *testing.T, username string, password secret.Text) bool {
			return realm.SignIn(username, password.Reveal()) == nil
		},
		Meddle:   func(_ *testing.T, a access.Account) { realm.AddExtra(a.ID, "member of Back Door Operators") },
		TakeAway: func(_ *testing.T, a access.Account) { realm.TakeAway(a.ID, fake.Admin) },
		Squat: func(_ *testing.T, a access.Account) func() bool {
			name := fmt.Sprintf("person%s@practice.example", a.Holder.Person)
			realm.Squat(name)
			return func() bool { return realm.SignIn(name, "anything") != nil && realm.Made(a.ID) == 0 }
		},
		Faulty: func(_ *testing.T, n int, f targettest.Fault) (target.System, func() bool) {
			return realm.OpenFaulty(n, map[targettest.Fault]fake.Fault{targettest.Lost: fake.Lost, targettest.Half: fake.Half, targettest.Unanswered: fake.DoneLost}[f])
		},
	})
}

func TestThePracticeCloudKeepsItsPromises(t *testing.T) {
	realm := fake.NewRealm()
	realm.Settle(45 * time.Second)
	n := 0
	targettest.Run(t, targettest.Peer{
		Open: func(*testing.T) target.System { return fake.OpenIssuing(realm) },
		Account: func(*testing.T) access.Account {
			n++
			return access.Account{ID: fmt.Sprintf("mark-%d", n), Holder: access.Holder{Person: fmt.Sprint(n), Login: fmt.Sprintf("person%d@msp.example", n), Name: "Person"}}
		},
		Entitlements: []string{fake.Admin, fake.Helper},
		Once:         true,
		Virtual:      true,
		SignIn: func(_ *testing.T, username string, password secret.Text) bool {
			return realm.SignIn(username, password.Reveal()) == nil
		},
		Meddle: func(_ *testing.T, a access.Account) { realm.AddExtra(a.ID, "member of Back Door Operators") },
		Faulty: func(_ *testing.T, n int, f targettest.Fault) (target.System, func() bool) {
			sys, hit := realm.OpenFaulty(n, map[targettest.Fault]fake.Fault{targettest.Lost: fake.Lost, targettest.Half: fake.Half, targettest.Unanswered: fake.DoneLost}[f])
			return &fake.IssuingSystem{System: sys}, hit
		},
	})
}

func TestTheRealmEnforcesTheEndByItself(t *testing.T) { synctest.Test(t, endsByItself) }

func endsByItself(t *testing.T) {
	realm := fake.NewRealm()
	sys, a := realm.Open(), access.Account{ID: "mark", Holder: access.Holder{Login: "maya@msp.example"}}
	until := time.Now().Add(time.Minute)
	want := access.Want{Entitlements: []access.Entitled{{Name: fake.Admin, Until: until}}, Until: until}
	if err := sys.Apply(t.Context(), a, want, secret.New("Correct-Horse-7")); err != nil {
		t.Fatal(err)
	}
	if len(realm.Usable("mark")) != 1 || realm.SignIn("maya@practice.example", "Correct-Horse-7") != nil {
		t.Error("it cannot be used")
	}
	time.Sleep(time.Minute)
	if len(realm.Usable("mark")) > 0 {
		t.Fatal("it can be used after its end")
	}
	if o, err := sys.Observe(t.Context(), a); err != nil || o.Clean() {
		t.Errorf("what only ran out is not clean: %+v, %v", o, err)
	}
}

func TestWhoIsPrivileged(t *testing.T) {
	realm := fake.NewRealm()
	sys := realm.Open()
	before, err := sys.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	realm.Promote("Mallory")
	after, err := sys.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found, err := sys.Compare(before, after)
	if err != nil || len(found) != 1 || found[0] != "Mallory became privileged on the practice target." {
		t.Errorf("found %q, %v", found, err)
	}
}
