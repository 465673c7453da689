package entra

import "testing"

// BenchmarkGrant is what one grant asks of the cloud, without the contract's validator, in a tenant with 500 users.
func BenchmarkGrant(b *testing.B) {
	r := newRig(b, Options{}, TenantSpec{})
	r.cloud.opt.Check = nil
	for range 500 {
		r.tenant.AddUser(UserSpec{UPN: r.upn("u" + guid(r.tenant.dice)[:8])})
	}
	for b.Loop() {
		id := r.make("jit-a")
		r.must(201, "POST", "/users/"+id+"/authentication/temporaryAccessPassMethods", map[string]any{})
		role := r.give(id, GlobalAdministrator)
		for range 5 {
			r.must(200, "GET", "/users/"+id+"?$select=id,accountEnabled", nil)
			r.must(200, "GET", rolesOf(id), nil)
		}
		r.must(204, "DELETE", roleAssignments+"/"+role, nil)
		r.must(200, "GET", "/users?$filter=startsWith(userPrincipalName,'jit-')", nil)
		r.must(204, "DELETE", "/users/"+id, nil)
		r.must(204, "DELETE", "/directory/deletedItems/"+id, nil)
	}
}
