package entra

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadsFlapUntilEveryReplicaKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Delays: Delays{Objects: Fixed(time.Minute)}}, TenantSpec{})
		id := r.make("jit-a")
		statuses := func(method, path string) []int {
			var out []int
			for range 6 {
				out = append(out, r.send(method, path, nil).status)
			}
			return out
		}
		if got := statuses("GET", "/users/"+id); !slices.Equal(got, []int{404, 404, 200, 404, 404, 200}) {
			t.Errorf("after the creation: %v", got)
		}
		// Whoever asks another replica gives a role to nobody; but a name that is taken is taken everywhere.
		r.fails(404, "Request_ResourceNotFound", "POST", roleAssignments, assignmentBody(id, GlobalAdministrator))
		r.fails(400, "Request_BadRequest", "POST", "/users", r.newUser("jit-a"))
		time.Sleep(time.Minute)
		if got := statuses("GET", "/users/"+id); slices.Contains(got, 404) {
			t.Errorf("a minute later: %v", got)
		}
		role := r.give(id, SecurityReader)
		r.send("GET", "/organization", nil)
		r.fails(404, "Request_ResourceNotFound", "GET", roleAssignments+"/"+role, nil)
		time.Sleep(time.Minute)
		r.must(204, "DELETE", roleAssignments+"/"+role, nil)
		r.must(200, "GET", roleAssignments+"/"+role, nil) // another still shows it
		r.fails(404, "Request_ResourceNotFound", "DELETE", roleAssignments+"/"+role, nil)
		time.Sleep(time.Minute)
		r.must(204, "DELETE", "/users/"+id, nil)
		if got := statuses("GET", "/users/"+id); !slices.Contains(got, 200) || !slices.Contains(got, 404) {
			t.Errorf("after the deletion: %v", got)
		}
		if got := statuses("GET", "/directory/deletedItems/"+id); !slices.Contains(got, 200) || !slices.Contains(got, 404) {
			t.Errorf("in the bin: %v", got)
		}
	})
}

func TestARemovedRoleProtectsItsHolderForAWhile(t *testing.T) {
	for name, atOnce := range map[string]bool{"sensitive actions wait for the removal": false, "they do not, if it so happens": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{Delays: Delays{Roles: Fixed(10 * time.Minute)}, Switches: Switches{RoleRemovalAtOnce: atOnce}}, TenantSpec{})
				id := r.make("jit-a")
				role := r.give(id, GlobalAdministrator)
				if len(r.tenant.Effective(id)) != 0 {
					t.Error("the role is in effect at once")
				}
				time.Sleep(10 * time.Minute)
				if len(r.tenant.Effective(id)) != 1 {
					t.Error("the role is not in effect")
				}
				r.must(204, "DELETE", roleAssignments+"/"+role, nil)
				if len(r.tenant.Effective(id)) != 1 {
					t.Error("the role lost its effect at once")
				}
				if atOnce {
					r.must(204, "DELETE", "/users/"+id, nil)
					return
				}
				r.fails(403, "Authorization_RequestDenied", "DELETE", "/users/"+id, nil)
				time.Sleep(10 * time.Minute)
				r.must(204, "DELETE", "/users/"+id, nil)
			})
		})
	}
}

func TestRoutingAndLogsThatLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for routing, want := range map[Routing]int{RoundRobin: 3, Random: 3, Sticky: 1} {
			r := newRig(t, Options{Routing: routing}, TenantSpec{})
			replicas := map[int]bool{}
			for range 30 {
				r.must(200, "GET", "/organization", nil)
				entries := r.cloud.Journal()
				replicas[entries[len(entries)-1].Replica] = true
			}
			if len(replicas) != want {
				t.Errorf("routing %d asked %d replicas", routing, len(replicas))
			}
		}
		r := newRig(t, Options{Delays: Delays{Audit: Uniform(time.Minute, 2*time.Minute), Index: Fixed(time.Hour)}}, TenantSpec{})
		r.make("jit-a")
		if g := r.must(200, "GET", "/auditLogs/directoryAudits", nil); len(g.list()) != 0 {
			t.Error("the audit log does not lag")
		}
		time.Sleep(2 * time.Minute)
		if g := r.must(200, "GET", "/auditLogs/directoryAudits?$filter=activityDisplayName eq 'Add user'", nil); len(g.list()) != 1 {
			t.Error("the audit log never shows it")
		}
		r.header.Set("ConsistencyLevel", "eventual")
		if g := r.must(200, "GET", "/users?$filter=endsWith(userPrincipalName,'com')&$count=true", nil); len(g.list()) != 0 {
			t.Error("the index does not lag")
		}
	})
}

func TestWhatNoReplicaShowsIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Delays: Delays{Objects: Uniform(0, time.Second)}}, TenantSpec{})
		for range 300 {
			id := r.make("jit-a")
			time.Sleep(time.Second)
			role := r.give(id, SecurityReader)
			time.Sleep(time.Second)
			r.must(204, "DELETE", roleAssignments+"/"+role, nil)
			time.Sleep(time.Second)
			r.must(204, "DELETE", "/users/"+id, nil)
			time.Sleep(time.Second)
			r.must(204, "DELETE", "/directory/deletedItems/"+id, nil)
			if time.Sleep(time.Second); len(r.tenant.users.order) > 200 || len(r.tenant.assignments.order) > 200 {
				t.Fatal("the past piles up")
			}
			if !r.alive() {
				r.let(everything...)
			}
		}
	})
}

// alive reports whether the token is good for another quarter of an hour.
func (r *rig) alive() bool { return r.cloud.Now().Unix()%900 > 10 }
