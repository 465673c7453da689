package aws

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"jitney/access"
	sim "jitney/sim/aws"
	"jitney/target"
)

// The tests of this file are to sessions what package targettest is to accounts
// that stand on a target: it asks for passwords, Apply and marks, of which
// there are none here.

// inTime runs a test with a world in virtual time.
func inTime(t *testing.T, o sim.Options, body func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { body(t, newWorld(t, o)) })
}

func found(o access.Observation, part string) bool {
	return slices.ContainsFunc(o.Facts, func(f access.Fact) bool { return strings.Contains(f.Name+": "+f.Found, part) })
}

func TestAnAccountThatNeverWasIsClean(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		if o := w.observe(w.open(), a); !o.Clean() || o.Exists || !found(o, "none were issued") {
			t.Errorf("%+v", o)
		}
		w.remove(w.open(), a)
		if n := len(w.Journal()); n != 0 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestWhatIsWantedIsTried(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		a.Wanted = []string{Tenant, Admin}
		want := access.Want{Entitlements: []access.Entitled{{Name: Tenant}, {Name: Admin}}}
		if o := w.observe(w.open(), a); !o.Shows(Tenant) || !o.Shows(Admin) || o.Clean() || o.ObjectID == "" || o.Username != sessionName(a) {
			t.Errorf("%+v", o)
		}
		if err := w.open().Apply(t.Context(), a, want, w.broker.Secret); err != nil {
			t.Error(text(err))
		}
		for _, s := range w.tenant.Sessions() {
			if w.lists(target.Keys{ID: s.Keys.AccessKeyID, Secret: s.Keys.Secret, Token: s.Keys.SessionToken}) {
				t.Error("keys of a try can do something")
			}
		}
		w.trust(trustOf(""))
		o := w.observe(w.open(), a)
		if o.Shows(Tenant) || !o.Shows(Admin) || !found(o, "takes no session tags") {
			t.Errorf("%+v", o)
		}
		if err := w.open().Apply(t.Context(), a, want, w.broker.Secret); access.KindOf(err) != access.Denied || access.CodeOf(err) != codeTrust {
			t.Error(text(err))
		}
		if err := w.open().Apply(t.Context(), a, access.Want{Entitlements: []access.Entitled{{Name: "root"}}}, w.broker.Secret); access.KindOf(err) != access.Invalid {
			t.Error(text(err))
		}
		w.Faults(sim.Rule{Do: sim.Respond(503, "ServiceUnavailable")})
		if _, err := w.open().Observe(t.Context(), a); access.KindOf(err) != access.Unavailable {
			t.Error(text(err))
		}
	})
}

func TestAColleaguesSessionGoesOn(t *testing.T) {
	inTime(t, sim.Options{Delay: 4 * time.Second}, func(t *testing.T, w *world) {
		sys, mine, theirs := w.open(), account(firstID), account("zyxwvutsrqponmlk5432")
		k, other := w.session(sys, &mine, asked(time.Hour)), w.session(sys, &theirs, asked(time.Hour))
		foreign := w.Account(home).AddUser("colleague", brokerPolicy).AddKey()
		outside, err := w.assumeAs(foreign, "grace@msp.example")
		if err != nil {
			t.Fatal(err)
		}
		o := w.settle(mine, 2*time.Minute)
		if w.lists(k) || !w.lists(other) || !w.lists(outside) {
			t.Errorf("mine works %v, a colleague's %v, one from outside %v", w.lists(k), w.lists(other), w.lists(outside))
		}
		if !found(o, "was denied explicitly, and one with another name was not") || !found(o, "read back") {
			t.Errorf("%+v", o.Facts)
		}
		if o := w.observe(w.open(), theirs); !o.Shows(Tenant) || o.Settling != 0 {
			t.Errorf("a colleague's: %+v", o)
		}
	})
}

func TestTheAdminRoleEndsToo(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a, ask := account(firstID), asked(8*time.Hour)
		one := w.session(w.open(), &a, ask)
		ask.Entitlement, ask.Length = Admin, 8*time.Hour
		two := w.session(w.open(), &a, ask)
		a.Wanted = []string{Tenant}
		o := w.observe(w.open(), a)
		if !o.Shows(Tenant) || !o.Shows(Admin) || len(o.Left) != 1 {
			t.Errorf("one is wanted, both are open: %+v", o)
		}
		a.Wanted = nil
		w.settle(a, time.Minute)
		if w.works(one) || w.works(two) {
			t.Error("clean, and keys work")
		}
	})
}

// TestADenyOfTheCustomersOwnIsNoProof is about roles that are denied everywhere
// what Jitney tries: a refusal of that would prove nothing.
func TestADenyOfTheCustomersOwnIsNoProof(t *testing.T) {
	for _, row := range []struct {
		name, deny string
		proved     bool
	}{
		{"one call is denied to everybody", `"iam:*"`, true},
		{"both calls are denied to everybody", `["iam:*","sts:*"]`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			inTime(t, sim.Options{Delay: 30 * time.Second}, func(t *testing.T, w *world) {
				w.putPolicy("northwind-prod", "guard", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":`+row.deny+`,"Resource":"*"},{"Effect":"Allow","Action":"sts:GetAccessKeyInfo","Resource":"*"}]}`)
				time.Sleep(time.Minute)
				a := account(firstID)
				k := w.session(w.open(), &a, asked(30*time.Minute))
				w.remove(w.open(), a)
				time.Sleep(10 * time.Second)
				if o := w.observe(w.open(), a); o.Clean() || !w.lists(k) {
					t.Fatalf("works %v: %+v", w.lists(k), o)
				}
				time.Sleep(time.Minute)
				if o := w.observe(w.open(), a); o.Clean() != row.proved || w.lists(k) {
					t.Errorf("works %v: %+v", w.lists(k), o)
				}
				time.Sleep(30 * time.Minute)
				if o := w.observe(w.open(), a); !o.Clean() {
					t.Errorf("after the end: %+v", o)
				}
			})
		})
	}
}

func TestWhereRolesMayNotBeEdited(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		k := w.session(w.open(fieldEdit, no), &a, asked(30*time.Minute))
		calls := len(w.Journal())
		w.remove(w.open(fieldEdit, no), a)
		o := w.observe(w.open(fieldEdit, no), a)
		if o.Clean() || !o.Shows(Tenant) || o.Settling < 29*time.Minute || !strings.Contains(o.Left[0], "live until "+stamp(k.EndsAt)) || len(w.Journal()) != calls {
			t.Errorf("%+v", o)
		}
		time.Sleep(o.Settling)
		if o = w.observe(w.open(fieldEdit, no), a); !o.Clean() || w.lists(k) || !found(o, "denied by the session's own policy since "+stamp(k.EndsAt)) {
			t.Errorf("works %v: %+v", w.lists(k), o)
		}
	})
}

func TestWhatHasExpiredNeedsOnlyTheTime(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		w.session(w.open(), &a, asked(20*time.Minute))
		time.Sleep(20*time.Minute + clocks)
		if o := w.observe(w.open(), a); o.Clean() {
			t.Error("at the edge it is not sure yet")
		}
		time.Sleep(time.Second)
		calls := len(w.Journal())
		w.remove(w.open(), a)
		if o := w.observe(w.open(), a); !o.Clean() || len(w.Journal()) != calls+1 || !found(o, "the last expired at") {
			t.Errorf("%d calls: %+v", len(w.Journal())-calls, o)
		}
	})
}

func TestKeysThatOnlyTheirOwnLimitHoldsBack(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		k := w.session(w.open(), &a, asked(5*time.Minute))
		time.Sleep(6 * time.Minute)
		o := w.observe(w.open(), a)
		if o.Clean() || o.Enabled || o.Settling != 0 || !strings.Contains(o.Left[0], "that only their own limit holds back until "+stamp(k.ExpiresAt)) {
			t.Errorf("%+v", o)
		}
		w.settle(a, time.Minute)
	})
}

func TestADenyThatSomebodyTookOffOrChanged(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		k := w.session(w.open(), &a, asked(time.Hour))
		w.settle(a, time.Minute)
		w.putPolicy("northwind-prod", ours(w.tenant)[0], `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ec2:*","Resource":"*"}]}`)
		if o := w.observe(w.open(), a); o.Clean() || !o.Shows(Tenant) || !w.lists(k) {
			t.Errorf("changed: %+v", o)
		}
		w.settle(a, time.Minute)
		w.dropPolicy(ours(w.tenant)[0])
		if o := w.observe(w.open(), a); o.Clean() {
			t.Errorf("deleted: %+v", o)
		}
		w.settle(a, time.Minute)
		if w.lists(k) {
			t.Error("the keys work")
		}
	})
}

func TestARoleThatIsGone(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		w.session(w.open(), &a, asked(30*time.Minute))
		w.edit(func(api *iam.Client) error {
			_, err := api.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: sdk.String("northwind-prod"), PolicyName: sdk.String("s3")})
			if err == nil {
				_, err = api.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: sdk.String("northwind-prod")})
			}
			return err
		})
		if o := w.observe(w.open(), a); o.Clean() || o.Settling == 0 {
			t.Errorf("%+v", o)
		}
		time.Sleep(31 * time.Minute)
		if o := w.observe(w.open(), a); !o.Clean() {
			t.Errorf("%+v", o)
		}
	})
}

func TestARightThatIsMissingIsNamed(t *testing.T) {
	for missing, doing := range map[string]func(w *world, a access.Account) error{
		"iam:PutRolePolicy": func(w *world, a access.Account) error { return w.open().Remove(context.Background(), a) },
		"iam:ListRolePolicies": func(w *world, a access.Account) error {
			_, err := w.open().Observe(context.Background(), a)
			return err
		},
	} {
		t.Run(missing, func(t *testing.T) {
			inTime(t, sim.Options{}, func(t *testing.T, w *world) {
				a := account(firstID)
				w.session(w.open(), &a, asked(time.Hour))
				w.putPolicy("jitney", "guard", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"`+missing+`","Resource":"*"}}`)
				err := doing(w, a)
				if access.KindOf(err) != access.Denied || access.CodeOf(err) != codeRight || !strings.Contains(text(err), missing) {
					t.Error(text(err))
				}
			})
		})
	}
	inTime(t, sim.Options{}, func(t *testing.T, w *world) { // and the role that Jitney works as
		a := account(firstID)
		w.session(w.open(), &a, asked(time.Hour))
		err := w.open(fieldManager, "nobody").Remove(t.Context(), a)
		if access.KindOf(err) != access.Denied || access.CodeOf(err) != codeTrust || !strings.Contains(text(err), "session of the role nobody") {
			t.Error(text(err))
		}
	})
}

// TestEveryCut cuts off each changing call of an end, in each way; whatever
// came of it, clean is never said too early, and the next try ends it.
func TestEveryCut(t *testing.T) {
	for _, kind := range []sim.Kind{sim.DropBefore, sim.DropAfter, sim.AnswerAfter, sim.Truncate, sim.Duplicate} {
		for _, action := range []string{"AssumeRole", "ListRolePolicies", "GetRolePolicy", "PutRolePolicy", "DeleteRolePolicy", "GetRole"} {
			t.Run(string(kind)+" "+action, func(t *testing.T) {
				inTime(t, sim.Options{Delay: time.Second}, func(t *testing.T, w *world) {
					a, b := account("zyxwvutsrqponmlk5432"), account(firstID)
					w.session(w.open(), &a, asked(20*time.Minute))
					w.settle(a, time.Minute)
					time.Sleep(90 * time.Minute) // so that there is something to prune
					k := w.session(w.open(), &b, asked(time.Hour))
					w.Faults(sim.Rule{Action: action, Times: 2 * tries, Do: sim.Do(kind)})
					for range 4 {
						_ = w.open().Remove(t.Context(), b)
						if o, err := w.open().Observe(t.Context(), b); err == nil && o.Clean() && w.lists(k) {
							t.Fatalf("clean, and the keys work: %+v", o)
						}
						time.Sleep(3 * time.Second)
					}
					w.Faults()
					w.settle(b, time.Minute)
					if w.lists(k) {
						t.Error("the keys work")
					}
				})
			})
		}
	}
}

// TestCleanIsNeverSaidWhileKeysWork is the one fault that must not be: with
// delays, faults and lengths by lot, each look that says clean is held against
// what the keys can do at that moment.
func TestCleanIsNeverSaidWhileKeysWork(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 4))
			span := func(most time.Duration) time.Duration { return time.Duration(dice.Int64N(int64(most))) }
			o := sim.Options{Seed: seed, Delay: span(3 * time.Minute), ReadDelay: span(time.Minute)}
			inTime(t, o, func(t *testing.T, w *world) {
				w.rough = true
				w.SetSkew(span(8*time.Minute) - 4*time.Minute)
				var change []string
				if dice.IntN(4) == 0 {
					change = []string{fieldEdit, no}
				}
				a := account(firstID)
				var keys []target.Keys
				end := time.Now().Add(span(2*time.Hour) + time.Minute)
				early := time.Now().Add(span(90 * time.Minute))
				for range 1 + dice.IntN(3) {
					ask := asked(time.Until(end))
					ask.Length = span(90*time.Minute) + time.Second
					if dice.IntN(2) == 0 {
						ask.Entitlement = Admin
					}
					keys = append(keys, w.session(w.open(change...), &a, ask))
				}
				if early.Before(end) {
					end = early
				}
				time.Sleep(time.Until(end))
				w.Faults(sim.Rule{Service: "iam", Probability: 0.15, Do: sim.Do(sim.DropAfter)}, sim.Rule{Probability: 0.1, Do: sim.Do(sim.DropBefore)}, sim.Rule{Probability: 0.1, Do: sim.Do(sim.Throttled)})
				for began := time.Now(); ; {
					if time.Since(began) > 3*time.Hour {
						t.Fatal("it never becomes clean")
					}
					o, err := w.open(change...).Observe(t.Context(), a)
					if err != nil {
						time.Sleep(time.Second)
						continue
					}
					if o.Clean() {
						break
					}
					if o.Settling == 0 {
						_ = w.open(change...).Remove(t.Context(), a)
					}
					time.Sleep(max(o.Settling/2, time.Second))
				}
				w.Faults()
				for range 30 { // and it stays so
					for i, k := range keys {
						if w.works(k) {
							t.Fatalf("clean, and keys %d work", i)
						}
					}
					time.Sleep(20 * time.Second)
				}
			})
		})
	}
}

func TestCredentialsOfAnotherAccountEditNothing(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		twin := w.home.AddRole(sim.RoleSpec{Name: "northwind-prod", Trust: trustOf("")}) // of the same name, in Jitney's own account
		mighty := w.home.AddUser("mighty", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`).AddKey()
		w.broker = mighty
		a := account(firstID)
		fields := []string{fieldKeyID, mighty.AccessKeyID, fieldManager, ""}
		w.session(w.open(fields...), &a, asked(time.Hour))
		err := w.open(fields...).Remove(t.Context(), a)
		if access.KindOf(err) != access.Denied || !strings.Contains(text(err), "belong to the account "+home) {
			t.Error(text(err))
		}
		if _, err := w.open(fields...).SetLongest(t.Context(), Tenant, 2*time.Hour); access.KindOf(err) != access.Denied {
			t.Error(text(err))
		}
		if len(twin.Policies()) != 0 {
			t.Error("a role of another account was changed")
		}
	})
}

func TestOneAccountNeedsNoRoleToWorkAs(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		w.broker = w.other.AddUser("jitney", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:*","iam:*"],"Resource":"*"}}`).AddKey()
		w.trust(strings.ReplaceAll(trustOf(alsoTags), home, other))
		fields := []string{fieldKeyID, w.broker.AccessKeyID, fieldManager, ""}
		a := account(firstID)
		k := w.session(w.open(fields...), &a, asked(time.Hour))
		w.settle(a, time.Minute, fields...)
		if w.lists(k) {
			t.Error("the keys work")
		}
	})
}

func TestWhatIsNotKnownOfASessionIsTheWorst(t *testing.T) {
	inTime(t, sim.Options{}, func(t *testing.T, w *world) {
		a := account(firstID)
		k := w.session(w.open(), &a, asked(time.Hour))
		a.Issued = []access.Issued{{Entitlement: Tenant, Count: 1}, {Entitlement: "of-old-settings", Count: 1, EndsAt: k.EndsAt, ExpiresAt: k.ExpiresAt}}
		o := w.observe(w.open(), a)
		if o.Clean() || !o.Shows(Tenant) || !o.Shows("of-old-settings") {
			t.Errorf("%+v", o)
		}
		w.settle(a, 2*time.Hour)
		if w.lists(k) {
			t.Error("the keys work")
		}
	})
}

// TestOverSockets is the simulation at one address, as in the demonstration.
func TestOverSockets(t *testing.T) {
	w := newWorld(t, sim.Options{})
	server, err := w.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	w.opt.Transport = nil
	sys, a := w.open(fieldEndpoint, server.URL()), account(firstID)
	defer sys.Close()
	k := w.session(sys, &a, asked(time.Hour))
	if !w.lists(k) {
		t.Error("the keys do not work")
	}
	address, err := sys.Console(t.Context(), k, target.Place{Issuer: "https://jitney.example"})
	if err != nil || !strings.HasPrefix(address.Reveal(), server.URL()+"/federation?") {
		t.Fatal(text(err))
	}
	if status, to := w.browse(address.Reveal()); status != 302 || !strings.HasPrefix(to, "/console/console/home") {
		t.Errorf("%d to %s", status, to)
	}
	w.remove(sys, a)
	if w.lists(k) {
		t.Error("the keys work")
	}
}

func TestADenyThatTakesLongIsWrittenAgain(t *testing.T) {
	inTime(t, sim.Options{Delay: 5 * time.Minute}, func(t *testing.T, w *world) {
		a := account(firstID)
		k := w.session(w.open(), &a, asked(time.Hour))
		w.remove(w.open(), a)
		time.Sleep(time.Minute)
		if o := w.observe(w.open(), a); o.Clean() || o.Settling == 0 || !o.Shows(Tenant) || len(o.Silent) != 0 {
			t.Errorf("%+v", o)
		}
		time.Sleep(90 * time.Second)
		if o := w.observe(w.open(), a); o.Clean() || o.Settling != 0 || len(o.Silent) != 1 || !strings.Contains(o.Left[0], "does not count after 2 min") {
			t.Errorf("%+v", o)
		}
		w.remove(w.open(), a)
		if o := w.observe(w.open(), a); o.Settling == 0 || len(ours(w.tenant)) != 1 {
			t.Errorf("%+v", o)
		}
		w.settle(a, 10*time.Minute)
		if w.lists(k) {
			t.Error("the keys work")
		}
	})
}

func TestAServerWithoutCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	w := newWorld(t, sim.Options{})
	_, err := w.open(fieldWay, wayAmbient).Session(t.Context(), account(firstID), asked(time.Hour))
	if access.KindOf(err) != access.Unavailable || !strings.Contains(text(err), "There are no AWS credentials on this server") {
		t.Error(text(err))
	}
}
