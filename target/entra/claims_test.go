package entra

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/sim/entra"
)

// An administrator for an hour can read the marks of the own account, and
// give them to an account that shall stay.
func TestCopiedMarksHideNoAdministrator(t *testing.T) {
	lives(t, worldSpec{}, func(t *testing.T, w *world) {
		s := w.open(t)
		before, err := s.Snapshot(t.Context())
		must(t, err)
		l := w.life(t, nil)
		l.request(time.Hour)
		l.active(time.Minute)
		id := l.c.Account.ID
		w.tenant.AddUser(entra.UserSpec{UPN: "backdoor-" + short(id) + "@" + w.tenant.InitialDomain(), Name: "Back Door", Roles: []string{entra.GlobalAdministrator},
			Props: map[string]any{"jobTitle": titlePrefix + id, "employeeId": mark(id), "employeeType": employeeType}})
		l.ended(2 * time.Hour)
		got, err := s.Unexplained(t.Context())
		must(t, err)
		if !holds(got, "Back Door") {
			t.Errorf("nobody reports who holds Global Administrator: %q", got)
		}
		after, err := s.Snapshot(t.Context())
		must(t, err)
		if got, err = s.Compare(before, after); err != nil || !holds(got, "Back Door") {
			t.Errorf("nobody reports who was given Global Administrator: %q %v", got, err)
		}
	})
}

func TestAnotherAccountIsMadeAndTheAnswerIsLost(t *testing.T) {
	for name, fault := range map[string]entra.Action{"lost": entra.Do(entra.DropAfter)[0], "refused for a moment": entra.Respond(503, "ServiceUnavailable")[0]} {
		for _, stop := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				lives(t, worldSpec{}, func(t *testing.T, w *world) {
					w.cloud.Faults(entra.Rule{Method: "POST", Path: "/roleAssignments$", Times: 2, Do: entra.Respond(503, "ServiceUnavailable")})
					l := w.life(t, nil)
					l.request(time.Hour)
					l.look()
					must(t, w.tenant.Act(entra.Act{Do: entra.DeleteUser, User: l.c.Account.ObjectID}))
					l.c.Credential = access.Credential{} // the holder's new pass is to be made
					w.cloud.Faults(entra.Rule{Method: "POST", Path: "/v1.0/users$", Times: 1, Do: []entra.Action{fault}})
					l.look()
					w.cloud.Faults()
					if stop {
						l.stop()
					} else {
						l.active(30 * time.Minute)
					}
					l.ended(3 * time.Hour)
					w.gone(t, l)
				})
			})
		}
	}
}

func TestPIMRefusesAnotherGrantAndThisOneIsExtended(t *testing.T) {
	lives(t, worldSpec{strong: true, tenant: entra.TenantSpec{Licence: entra.P2}, values: map[string]string{fieldPIM: yes}}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(time.Hour)
		l.active(time.Minute)
		sys := l.open().(*system)
		sys.pimRefused(&graphError{status: 400, code: "RoleAssignmentRequestPolicyValidationFailed"}) // another grant was too long
		l.c.Grants[0].Extension = time.Hour
		l.ended(4 * time.Hour)
		if cause := l.grant().Cause(l.grant().EndedAt); cause != access.ByExpiry {
			t.Errorf("ended because %s", cause)
		}
		w.gone(t, l)
	})
}

func TestTheEndThatEntraKeepsComesBeforeItIsMoved(t *testing.T) {
	lives(t, worldSpec{strong: true, tenant: entra.TenantSpec{Licence: entra.P2}, values: map[string]string{fieldPIM: yes}}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(time.Hour)
		l.active(time.Minute)
		time.Sleep(50 * time.Minute)
		l.c.Grants[0].Extension = time.Hour
		w.cloud.Faults(entra.Rule{Method: "POST", Path: "ScheduleRequests", Do: entra.Respond(503, "ServiceUnavailable")})
		for from := time.Now(); time.Since(from) < 14*time.Minute; {
			time.Sleep(max(l.look(), time.Second))
		}
		w.cloud.Faults()
		l.ended(4 * time.Hour)
		if cause := l.grant().Cause(l.grant().EndedAt); cause != access.ByExpiry {
			t.Errorf("ended because %s", cause)
		}
		w.gone(t, l)
	})
}

func TestPIMGaveASecondRoleThatCannotBeDeletedDirectly(t *testing.T) {
	for name, end := range map[string]time.Duration{"with an end": 20 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			lives(t, worldSpec{tenant: entra.TenantSpec{Licence: entra.P2}, options: entra.Options{Switches: entra.Switches{PIMDeleteRefused: true}}}, func(t *testing.T, w *world) {
				l := w.life(t, nil)
				l.request(time.Hour)
				l.active(time.Minute)
				r := role{id: roleID("Exchange Administrator"), title: "Exchange Administrator"}
				must(t, pim{w.admin(t)}.schedule(t.Context(), access.Account{Key: "x"}, l.c.Account.ObjectID, r, time.Now().Add(end), false))
				l.ended(2 * time.Hour)
				w.gone(t, l)
			})
		})
	}
}

func TestAPurgeThatIsRefusedForAMomentNeedsNobody(t *testing.T) {
	for seed := range uint64(8) {
		lives(t, worldSpec{options: entra.Options{Seed: seed, Delays: entra.Delays{Objects: entra.Uniform(0, 5*time.Minute), Roles: entra.Uniform(0, 10*time.Minute)}}}, func(t *testing.T, w *world) {
			l := w.life(t, nil)
			l.request(time.Hour)
			l.active(90 * time.Minute)
			l.ended(4 * time.Hour)
			if l.coded(codePurge) || l.coded(codeRight) {
				t.Errorf("seed %d: waiting was taken for a refusal: %v", seed, l.errs)
			}
			w.gone(t, l)
		})
	}
}

func TestAListWithoutItsListIsNoEmptyOne(t *testing.T) {
	for _, answer := range []string{`{}`, `{"value":null}`, `null`} {
		synctest.Test(t, func(t *testing.T) {
			c := &cable{graph: func(r *http.Request, _ string) (int, string) {
				if strings.Contains(r.URL.Path, "/users/") || strings.Contains(r.URL.Path, "/deletedItems/") {
					return 404, refusal("Request_ResourceNotFound", "no")
				}
				return 200, answer
			}}
			if o, err := c.open(t, nil).Observe(t.Context(), testAccount()); err == nil {
				t.Errorf("%s: no role is held: %+v", answer, o)
			}
		})
	}
}

func TestAPageThatIsMissingIsNoMissingAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cable{graph: func(r *http.Request, _ string) (int, string) {
			if strings.Contains(r.URL.Path, "/users/") || strings.Contains(r.URL.Path, "/deletedItems/") {
				return 404, "<html>the proxy knows no such page</html>"
			}
			return 200, `{"value":[]}`
		}}
		if o, err := c.open(t, nil).Observe(t.Context(), testAccount()); err == nil {
			t.Errorf("read as gone: %+v", o)
		}
	})
}

// Access tokens outlive the end by up to an hour, so what is done with them
// does too.
func TestHistoryAsksForWhatOutlivesTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().UTC()
		late, asked := end.Add(55*time.Minute), 0
		c := &cable{graph: func(r *http.Request, _ string) (int, string) {
			_, to, ok := strings.Cut(r.URL.Query().Get("$filter"), "activityDateTime le ")
			if at, err := time.Parse(time.RFC3339, to); !ok || err != nil || at.Before(late) {
				t.Errorf("asked for %s", r.URL.Query().Get("$filter"))
			}
			asked++
			return 200, `{"value":[]}`
		}}
		_, err := c.open(t, nil).History(t.Context(), testAccount(), end.Add(-time.Hour), end)
		must(t, err)
	})
}

func TestTheAddressesOfAnotherCloudSayWhereAccessLives(t *testing.T) {
	for _, f := range kindFields() {
		if (f.Name == fieldAuthority || f.Name == fieldGraph) && !f.Place {
			t.Errorf("%s can lead elsewhere while access is live", f.Title)
		}
	}
}

func TestAPassForGroupsOnlyIsToldOnTheGrant(t *testing.T) {
	policy := entra.DefaultTAPPolicy()
	policy.Groups = []string{"aaaaaaaa-0000-4000-8000-00000000000a"}
	lives(t, worldSpec{tenant: entra.TenantSpec{TAP: &policy}}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(time.Hour)
		l.look()
		if w.signIn(t, l.c.Account.Username, l.pass) {
			t.Fatal("the pass lets in")
		}
		for _, f := range l.c.Account.Seen.Facts {
			if strings.Contains(f.Found, "groups") {
				return
			}
		}
		t.Errorf("the pass does not let in, and nothing says why: %+v %v", l.c.Account.Seen.Facts, l.errs)
	})
}

func TestTheRoleComesBackThoughGraphFailsForAMoment(t *testing.T) {
	lives(t, worldSpec{options: entra.Options{Switches: entra.Switches{TAPOnAdminNeedsRole: true, RoleRemovalAtOnce: true}}}, func(t *testing.T, w *world) {
		l := w.life(t, nil)
		l.request(2 * time.Hour)
		l.active(time.Minute)
		l.c.Credential = access.Credential{} // the holder asks for a new pass
		w.cloud.Faults(entra.Rule{Method: "POST", Path: "/roleAssignments$", Times: 3, Do: entra.Respond(503, "ServiceUnavailable")})
		l.look()
		l.ended(4 * time.Hour)
		if cause := l.grant().Cause(l.grant().EndedAt); cause != access.ByExpiry {
			t.Errorf("ended because %s: %v", cause, l.errs)
		}
		w.gone(t, l)
	})
}
