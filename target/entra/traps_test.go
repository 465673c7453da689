package entra

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/sim/entra"
	"jitney/target"
)

// lives runs body in virtual time.
func lives(t *testing.T, s worldSpec, body func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, s)
		body(t, w)
	})
}

func TestAGrantUpAndDown(t *testing.T) {
	for name, s := range map[string]worldSpec{
		"weak app": {}, "strong app": {strong: true},
		"passwords":               {strong: true, values: map[string]string{fieldCredential: credentialPass}},
		"PIM":                     {tenant: entra.TenantSpec{Licence: entra.P2}, values: map[string]string{fieldPIM: yes}},
		"PIM without its licence": {values: map[string]string{fieldPIM: yes}},
		"PIM, strong app":         {strong: true, tenant: entra.TenantSpec{Licence: entra.P2}, values: map[string]string{fieldPIM: yes}},
	} {
		t.Run(name, func(t *testing.T) {
			lives(t, s, func(t *testing.T, w *world) {
				l := w.life(t, nil)
				l.request(time.Hour)
				l.active(time.Minute)
				u := w.mustUser(t, l.c.Account)
				if !u.Enabled || len(u.Roles) != 1 || u.Marker != mark(l.c.Account.ID) || u.Type != employeeType {
					t.Errorf("%+v", u)
				}
				if !l.pass.IsZero() && !w.signIn(t, l.c.Account.Username, l.pass) {
					t.Error("the pass does not let in")
				}
				l.ended(62 * time.Minute)
				if took := l.grant().EndedAt.Sub(l.grant().ExpiresAt()); took < 30*time.Second || took > time.Minute {
					t.Errorf("the end took %v", took)
				}
				w.gone(t, l)
			})
		})
	}
}

// TestCallsPerGrant prints what a grant costs, and fails if it costs more
// than it must.
func TestCallsPerGrant(t *testing.T) {
	lives(t, worldSpec{strong: true}, func(t *testing.T, w *world) {
		first, l := w.life(t, nil), w.life(t, nil)
		l.open = first.open // the second grant finds domain, policy and token
		count := func() int { n := len(w.cloud.Journal()); w.cloud.ForgetJournal(); return n }
		first.request(time.Hour)
		first.active(time.Minute)
		t.Logf("%d calls for the first grant up", count())
		l.request(30 * time.Second)
		l.active(time.Minute)
		var up []string
		for _, e := range w.cloud.Journal() {
			path, _, _ := strings.Cut(e.Path, "?")
			up = append(up, e.Method+" "+strings.ReplaceAll(path, l.c.Account.ObjectID, "{id}"))
		}
		if n := count(); n > 8 { // 7 if the policy was read within the last minutes
			t.Errorf("%d calls up: %v", n, up)
		} else {
			t.Logf("%d calls up: %s", n, strings.Join(up, ", "))
		}
		l.stop()
		l.ended(2 * time.Minute)
		if n := count(); n > 21 { // the last look asks for the name, too
			t.Errorf("%d calls down", n)
		} else {
			t.Logf("%d calls down", n)
		}
	})
}

func TestTheAnswerToTheCreateIsLost(t *testing.T) {
	for name, delay := range map[string]entra.Delay{"at once": {}, "after 4 minutes": entra.Fixed(4 * time.Minute)} {
		t.Run(name, func(t *testing.T) {
			lives(t, worldSpec{options: entra.Options{Delays: entra.Delays{Objects: delay}}}, func(t *testing.T, w *world) {
				w.cloud.Faults(entra.Rule{Method: "POST", Path: "/v1.0/users$", Times: 1, Do: entra.Do(entra.DropAfter)})
				l := w.life(t, nil)
				l.request(time.Hour)
				l.active(time.Hour)
				if n := len(w.tenant.Users()); n != 1 {
					t.Errorf("%d users", n)
				}
				l.ended(3 * time.Hour)
				w.gone(t, l)
			})
		})
	}
}

func TestTheAnswerToTheCreateIsLostAndThenTheGrantIsStopped(t *testing.T) {
	lives(t, worldSpec{options: entra.Options{Delays: entra.Delays{Objects: entra.Fixed(14 * time.Minute)}}}, func(t *testing.T, w *world) {
		w.cloud.Faults(entra.Rule{Method: "POST", Path: "/v1.0/users$", Times: 1, Do: entra.Do(entra.DropAfter)})
		l := w.life(t, nil)
		l.request(time.Hour)
		l.look()
		l.stop()
		l.ended(time.Hour)
		w.gone(t, l)
	})
}

func TestAGrantIsStoppedBeforeAnyReplicaShowsIt(t *testing.T) {
	for seed := range uint64(12) {
		lives(t, worldSpec{options: entra.Options{Seed: seed, Routing: entra.Routing(seed % 3), Delays: entra.Delays{Objects: entra.Fixed(14 * time.Minute)}}}, func(t *testing.T, w *world) {
			l := w.life(t, nil)
			l.request(time.Hour)
			for range 1 + seed%4 {
				time.Sleep(min(max(l.look(), time.Second), time.Minute))
			}
			l.stop()
			l.ended(2 * time.Hour)
			w.gone(t, l)
		})
	}
}

func TestNothingWasMadeIfTheCreateNeverArrived(t *testing.T) {
	lives(t, worldSpec{}, func(t *testing.T, w *world) {
		w.cloud.Faults(entra.Rule{Method: "POST", Path: "/v1.0/users$", Times: 1, Do: entra.Do(entra.DropBefore)})
		l := w.life(t, nil)
		l.request(time.Hour)
		l.look()
		l.stop()
		from := time.Now()
		l.ended(time.Hour)
		if took := time.Since(from); took < 15*time.Minute || took > 18*time.Minute {
			t.Errorf("absence was believed after %v", took)
		}
	})
}

func TestTheNameBelongsToADeletedUser(t *testing.T) {
	for _, keeps := range []bool{false, true} {
		lives(t, worldSpec{options: entra.Options{Switches: entra.Switches{BinKeepsUPN: keeps}}}, func(t *testing.T, w *world) {
			w.cloud.Faults(entra.Rule{Method: "POST", Path: "/v1.0/users$", Times: 1, Do: entra.Do(entra.DropAfter)})
			l := w.life(t, nil)
			l.request(time.Hour)
			l.look()
			must(t, w.admin(t).remove(t.Context(), w.mustUser(t, l.c.Account).ID)) // before its id was learned
			l.active(time.Hour)
			l.ended(3 * time.Hour)
			w.gone(t, l)
		})
	}
}

func TestTheNameBelongsToSomebodyElseInTheBin(t *testing.T) {
	lives(t, worldSpec{options: entra.Options{Switches: entra.Switches{BinKeepsUPN: true}}}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		id := w.tenant.AddUser(entra.UserSpec{UPN: alias(l.c.Account.Holder.Login, l.c.Account.ID) + "@" + w.tenant.InitialDomain(), Name: "Somebody"})
		must(t, w.admin(t).remove(t.Context(), id))
		l.request(time.Hour)
		for range 5 {
			time.Sleep(l.look())
		}
		if u, ok := w.tenant.User(id); !ok || u.Deleted.IsZero() {
			t.Error("somebody else's deleted account was touched")
		}
	})
}

func TestTheRoleIsAssignedAlready(t *testing.T) {
	lives(t, worldSpec{}, func(t *testing.T, w *world) {
		w.cloud.Faults(entra.Rule{Method: "POST", Path: "/roleAssignments$", Times: 1, Do: entra.Do(entra.DropAfter)})
		l := w.life(t, nil)
		l.request(time.Hour)
		l.active(time.Minute)
		if u := w.mustUser(t, l.c.Account); len(u.Roles) != 1 {
			t.Errorf("%+v", u)
		}
		l.ended(2 * time.Hour)
	})
}

func TestPIMSaysThatWhatItJustTookWasNeverThere(t *testing.T) {
	lives(t, worldSpec{strong: true, tenant: entra.TenantSpec{Licence: entra.P2}, values: map[string]string{fieldPIM: yes}}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(time.Hour)
		l.active(time.Minute)
		if l.c.Account.Seen.Until.IsZero() {
			t.Error("the role has no end of its own")
		}
		w.cloud.Faults(entra.Rule{Method: "POST", Path: "ScheduleRequests", Body: "adminRemove", Do: entra.Do(entra.SayGone)})
		l.ended(2 * time.Hour)
		w.gone(t, l)
	})
}

func TestPIMTakesNoRoleAwayInTheFirstMinutes(t *testing.T) {
	for _, refused := range []bool{false, true} {
		lives(t, worldSpec{tenant: entra.TenantSpec{Licence: entra.P2}, values: map[string]string{fieldPIM: yes},
			options: entra.Options{Switches: entra.Switches{PIMDeleteRefused: refused}}}, func(t *testing.T, w *world) {
			l := w.life(t, nil)
			l.request(time.Hour)
			l.active(time.Minute)
			l.stop()
			l.ended(15 * time.Minute)
			w.gone(t, l)
		})
	}
}

func TestTheAdministratorRestoresTheAccountDuringCleanUp(t *testing.T) {
	for _, early := range []bool{true, false} {
		lives(t, worldSpec{}, func(t *testing.T, w *world) {
			l := w.life(t, nil)
			l.request(time.Hour)
			l.active(time.Minute)
			l.stop()
			w.cloud.Faults(entra.Rule{Method: "DELETE", Path: "/deletedItems/", Times: 1, Do: entra.Do(entra.DropBefore)},
				entra.Rule{Method: "DELETE", Path: "/deletedItems/", Times: 8, Do: entra.Respond(503, "ServiceUnavailable")})
			l.look()
			id := l.c.Account.ObjectID
			if u, _ := w.tenant.User(id); u.Deleted.IsZero() {
				t.Fatalf("not in the bin: %+v", u)
			}
			if !early {
				l.look()
			}
			_, err := w.admin(t).do(t.Context(), call{method: http.MethodPost, path: "/directory/deletedItems/" + id + "/restore"})
			must(t, err)
			must(t, w.admin(t).graph.enable(t.Context(), id, true))
			l.ended(time.Hour)
			w.gone(t, l)
		})
	}
}

func TestASecondRoleIsAddedToTheAccount(t *testing.T) {
	lives(t, worldSpec{}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(time.Hour)
		l.active(time.Minute)
		id := w.mustUser(t, l.c.Account).ID
		for _, name := range []string{"Exchange Administrator", "Global Reader"} { // the second is one that the target offers
			must(t, w.admin(t).assign(t.Context(), id, roleID(name)))
			l.look()
			if u := w.mustUser(t, l.c.Account); len(u.Roles) != 1 {
				t.Errorf("%s: %+v", name, u)
			}
		}
		if got := strings.Join(l.grant().Findings, "; "); !strings.Contains(got, "Exchange Administrator") || !strings.Contains(got, "Global Reader") {
			t.Errorf("findings: %s", got)
		}
		must(t, w.admin(t).assign(t.Context(), id, roleID("Exchange Administrator"))) // and once more, unseen before the end
		l.ended(2 * time.Hour)
		w.gone(t, l)
	})
}

func TestConsentIsWithdrawnAtTheEndAndComesBack(t *testing.T) {
	for _, how := range []string{"thrown out", "permissions taken"} {
		t.Run(how, func(t *testing.T) {
			lives(t, worldSpec{}, func(t *testing.T, w *world) {
				l := w.life(t, nil)
				l.request(2 * time.Hour) // longer than a token lives that still carries the permissions
				l.active(time.Minute)
				if how == "thrown out" {
					w.tenant.Withdraw(w.app)
				} else {
					w.tenant.Revoke(w.app, append(all(), "User-PasswordProfile.ReadWrite.All")...)
				}
				from := time.Now()
				for time.Since(from) < 4*time.Hour {
					time.Sleep(max(l.look(), time.Second))
				}
				if !l.grant().EndedAt.IsZero() {
					t.Fatal("ended without being able to look")
				}
				if !l.coded(codeConsent) {
					t.Errorf("no error says that consent is withdrawn: %v", l.errs[len(l.errs)-1])
				}
				w.tenant.Consent(w.app, all()...)
				l.ended(time.Hour)
				w.gone(t, l)
			})
		})
	}
}

func TestPurgeIsRefused(t *testing.T) {
	lives(t, worldSpec{}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(30 * time.Minute)
		l.active(time.Minute)
		w.cloud.Faults(entra.Rule{Method: "DELETE", Path: "/deletedItems/", Do: entra.Do(entra.RefusePurge)})
		l.until(time.Hour, "refused", func() bool { return l.coded(codePurge) })
		if !l.said("deleted, restorable until 20") || l.said("permanently deleted") {
			t.Errorf("%v", l.errs[len(l.errs)-1])
		}
		if u := w.mustUser(t, l.c.Account); u.Enabled || u.Deleted.IsZero() || len(u.Roles) > 0 {
			t.Errorf("%+v", u)
		}
		for range 20 {
			time.Sleep(max(l.look(), time.Second))
		}
		if !l.grant().EndedAt.IsZero() {
			t.Fatal("ended although the account can be restored")
		}
		w.cloud.Faults()
		l.ended(10 * time.Minute)
		w.gone(t, l)
	})
}

func TestPurgeByAnAppIsNotSupported(t *testing.T) {
	lives(t, worldSpec{options: entra.Options{Switches: entra.Switches{PurgeNeedsPerson: true}}}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(30 * time.Minute)
		l.active(time.Minute)
		l.until(time.Hour, "refused", func() bool { return l.coded(codePurge) })
		must(t, w.tenant.Act(entra.Act{Do: entra.PurgeUser, User: l.c.Account.ObjectID}))
		l.ended(20 * time.Minute) // nobody confirmed it to us
		w.gone(t, l)
	})
}

func TestRolesTakeTheirTime(t *testing.T) {
	for _, late := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute} {
		for _, switches := range []entra.Switches{{}, {TAPOnAdminNeedsRole: true, MissingBeforeDenied: true}} {
			lives(t, worldSpec{options: entra.Options{Delays: entra.Delays{Roles: entra.Fixed(late)}, Switches: switches}}, func(t *testing.T, w *world) {
				l := w.life(t, nil)
				l.request(30 * time.Minute)
				l.active(time.Minute)
				l.ended(31*time.Minute + late + 2*time.Minute)
				if l.coded(codeRight) || l.coded(codePurge) {
					t.Error("waiting was taken for a missing permission")
				}
				if late > time.Minute && !l.said("has not caught up") {
					t.Errorf("never said to wait: %v", l.errs)
				}
				w.gone(t, l)
			})
		}
	}
}

func TestDeletingIsRefusedForGood(t *testing.T) {
	lives(t, worldSpec{}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(30 * time.Minute)
		l.active(time.Minute)
		w.cloud.Faults(entra.Rule{Method: "DELETE", Path: "/v1.0/users/[^/]*$", Do: entra.Respond(403, "Authorization_RequestDenied")})
		from := l.grant().VerifiedAt
		l.until(2*time.Hour, "told", func() bool { return l.coded(codeRight) })
		if took := time.Since(from); took < time.Hour || took > 63*time.Minute {
			t.Errorf("told after %v: the grant lasts 30 minutes, the grace 30 more", took)
		}
		w.cloud.Faults()
		l.ended(time.Hour)
		w.gone(t, l)
	})
}

func TestReplicasDisagree(t *testing.T) {
	for _, routing := range []entra.Routing{entra.RoundRobin, entra.Random, entra.Sticky} {
		for _, late := range []time.Duration{time.Second, 20 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute} {
			lives(t, worldSpec{options: entra.Options{Seed: uint64(late), Routing: routing, Delays: entra.Delays{Objects: entra.Uniform(0, late), Roles: entra.Uniform(0, late)}}}, func(t *testing.T, w *world) {
				l := w.life(t, nil)
				l.request(time.Hour)
				l.active(90 * time.Minute)
				l.ended(3 * time.Hour)
				if cause := l.grant().Cause(l.grant().EndedAt); cause != access.ByExpiry {
					t.Errorf("routing %d, %v late: ended because %s", routing, late, cause)
				}
				w.gone(t, l)
			})
		}
	}
}

func TestACrashBetweenAnyTwoCalls(t *testing.T) {
	for _, down := range []bool{false, true} {
		for n := 1; n < 14; n++ {
			for _, f := range []entra.Kind{entra.DropBefore, entra.DropAfter} {
				lives(t, worldSpec{}, func(t *testing.T, w *world) {
					l := w.life(t, nil)
					l.open = func() target.System { return w.open(t) } // nothing is remembered
					l.request(30 * time.Minute)
					if down {
						l.active(time.Minute)
						l.stop()
					}
					// Every request from the n-th on fails, until the process is back.
					w.cloud.Faults(entra.Rule{Path: "/v1.0/", Nth: n, Times: 1, Do: entra.Do(f)}, entra.Rule{Path: "/v1.0/", Nth: n, Times: 1000, Do: entra.Do(entra.DropBefore)})
					before := l.c
					l.look()
					stored := l.c.Account
					l.c = before // the crash
					l.c.Account.TriedAt, l.c.Account.Username = stored.TriedAt, stored.Username
					w.cloud.Faults()
					l.ended(3 * time.Hour)
					w.gone(t, l)
				})
			}
		}
	}
}
