package entra

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// The permissions that calls need, any of which is enough. Names are those of
// Microsoft's permission reference.
// https://learn.microsoft.com/graph/permissions-reference
var (
	mayRead    = []string{"User.ReadWrite.All", "User.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	mayCreate  = []string{"User.ReadWrite.All", "User.Create", "Directory.ReadWrite.All"}
	mayDisable = []string{"User.ReadWrite.All", "User.EnableDisableAccount.All", "Directory.ReadWrite.All"}
	mayDelete  = []string{"User.ReadWrite.All", "User.DeleteRestore.All"}
	mayPurge   = []string{"User.DeleteRestore.All"}
	mayRevoke  = []string{"User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"}
	mayReset   = []string{"User-PasswordProfile.ReadWrite.All"}
	mayAssign  = []string{"RoleManagement.ReadWrite.Directory"}
	mayRoles   = []string{"RoleManagement.ReadWrite.Directory", "RoleManagement.Read.Directory", "RoleManagement.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	mayPass    = []string{"UserAuthMethod-TAP.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All"}
	mayMethods = []string{"UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"}
	mayPolicy  = []string{"Policy.Read.All", "Policy.Read.AuthenticationMethod", "Policy.ReadWrite.AuthenticationMethod"}
	maySched   = []string{"RoleManagement.ReadWrite.Directory", "RoleAssignmentSchedule.ReadWrite.Directory", "RoleAssignmentSchedule.Read.Directory", "RoleManagement.Read.Directory", "RoleManagement.Read.All"}
	mayGroups  = []string{"Directory.Read.All", "Directory.ReadWrite.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All"}
	mayAudit   = []string{"AuditLog.Read.All"}
	mayOrg     = []string{"Organization.Read.All", "User.ReadWrite.All", "User.Read.All", "Directory.Read.All", "Directory.ReadWrite.All", "Organization.ReadWrite.All"}
)

// graph is a client with the calls that are made.
type graph struct{ *client }

// may reports whether the token carries one of the permissions.
func (c graph) may(any []string) bool {
	own, ok := c.tokens.claims()
	return ok && slices.ContainsFunc(any, func(p string) bool { return slices.Contains(own.Roles, p) })
}

// A user is what is read of one. Most of it is not in an answer unless it is
// selected.
type user struct {
	ID                string    `json:"id"`
	UserPrincipalName string    `json:"userPrincipalName"`
	DisplayName       string    `json:"displayName"`
	MailNickname      string    `json:"mailNickname"`
	Enabled           *bool     `json:"accountEnabled"`
	EmployeeID        string    `json:"employeeId"`
	EmployeeType      string    `json:"employeeType"`
	JobTitle          string    `json:"jobTitle"`
	Created           time.Time `json:"createdDateTime"`
	Deleted           time.Time `json:"deletedDateTime"`
	PasswordChanged   time.Time `json:"lastPasswordChangeDateTime"`
}

// enabled reports whether one can sign in; what does not say so counts as enabled.
func (u *user) enabled() bool { return u.Enabled == nil || *u.Enabled }

const userFields = "id,userPrincipalName,displayName,mailNickname,accountEnabled,employeeId,employeeType,jobTitle,createdDateTime,lastPasswordChangeDateTime"

// user reads one by object id or name; nil, without an error, if there is none.
func (c graph) user(ctx context.Context, idOrName string) (*user, reply, error) {
	var u user
	r, err := c.do(ctx, call{method: http.MethodGet, path: "/users/" + url.PathEscape(idOrName), query: url.Values{"$select": {userFields}}, into: &u, needs: mayRead})
	if absent(err) {
		return nil, reply{status: http.StatusNotFound, id: err.(*graphError).id, at: time.Now().UTC()}, nil
	}
	if err != nil {
		return nil, r, err
	}
	if !validGUID(u.ID) || validGUID(idOrName) && u.ID != idOrName {
		return nil, r, c.nonsense("GET /users", r)
	}
	return &u, r, nil
}

// nonsense is the error of an answer that no honest Graph gives.
func (c *client) nonsense(op string, r reply) error {
	return &graphError{op: op, status: http.StatusBadGateway, code: "unreadable", message: "the answer names another object", id: r.id}
}

// binned reads a deleted user; nil if there is none.
func (c graph) binned(ctx context.Context, id string) (*user, reply, error) {
	var u user
	r, err := c.do(ctx, call{method: http.MethodGet, path: "/directory/deletedItems/" + id, query: url.Values{"$select": {"id,deletedDateTime"}}, into: &u, needs: mayRead})
	if absent(err) {
		return nil, reply{status: http.StatusNotFound, id: err.(*graphError).id, at: time.Now().UTC()}, nil
	}
	if err != nil {
		return nil, r, err
	}
	if u.ID != id {
		return nil, r, c.nonsense("GET /directory/deletedItems", r)
	}
	return &u, r, nil
}

// bin lists deleted users that filter matches.
func (c graph) bin(ctx context.Context, filter string) ([]user, reply, error) {
	return list[user](ctx, c.client, call{path: "/directory/deletedItems/microsoft.graph.user", needs: mayRead,
		query: url.Values{"$filter": {filter}, "$select": {"id,userPrincipalName,displayName,mailNickname,employeeId,jobTitle,deletedDateTime"}}})
}

// An assignment is one role that a principal holds.
type assignment struct {
	ID        string `json:"id"`
	Principal string `json:"principalId"`
	Role      string `json:"roleDefinitionId"`
	Scope     string `json:"directoryScopeId"`
	AppScope  string `json:"appScopeId"`

	Holder *holder `json:"principal"` // if it was expanded
}

// A holder is whoever holds a role.
type holder struct {
	user
	Type string `json:"@odata.type"`
}

const rolePath = "/roleManagement/directory/roleAssignments"

// assignments lists the roles that a principal holds, those that Privileged
// Identity Management has made active among them.
func (c graph) assignments(ctx context.Context, id string) ([]assignment, reply, error) {
	all, r, err := list[assignment](ctx, c.client, call{path: rolePath, query: url.Values{"$filter": {"principalId eq '" + id + "'"}}, needs: mayRoles})
	for _, a := range all {
		if a.Principal != "" && a.Principal != id {
			return nil, r, c.nonsense("GET "+rolePath, r)
		}
	}
	return all, r, err
}

// holders lists who holds a role anywhere.
func (c graph) holders(ctx context.Context, role string) ([]assignment, error) {
	all, _, err := list[assignment](ctx, c.client, call{path: rolePath, query: url.Values{"$filter": {"roleDefinitionId eq '" + role + "'"}, "$expand": {"principal"}}, needs: mayRoles})
	return all, err
}

// assign gives a role directly.
func (c graph) assign(ctx context.Context, id, role string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: rolePath, once: true, needs: mayAssign,
		body: map[string]any{"principalId": id, "roleDefinitionId": role, "directoryScopeId": "/"}})
	return err
}

// unassign takes one assignment away; one that is gone already is no error.
func (c graph) unassign(ctx context.Context, assignment string) error {
	if !validOpaque(assignment) {
		return c.nonsense("DELETE "+rolePath, reply{})
	}
	_, err := c.do(ctx, call{method: http.MethodDelete, path: rolePath + "/" + url.PathEscape(assignment), needs: mayAssign})
	if isGone(err) || says(err, "RoleAssignmentDoesNotExist") {
		return nil // only reading decides
	}
	return err
}

// A pass is a Temporary Access Pass, without its value.
type pass struct {
	ID       string    `json:"id"`
	Start    time.Time `json:"startDateTime"`
	Lifetime int       `json:"lifetimeInMinutes"`
	Once     bool      `json:"isUsableOnce"`
	Usable   *bool     `json:"isUsable"`
	Reason   string    `json:"methodUsabilityReason"`
	Value    string    `json:"temporaryAccessPass"` // only in the answer that made it
}

func (p pass) until() time.Time { return p.Start.Add(time.Duration(p.Lifetime) * time.Minute) }

func (p pass) String() string {
	text := fmt.Sprintf("valid for %d minutes", p.Lifetime)
	if !p.Start.IsZero() {
		text += ", until " + stamp(p.until())
	}
	if p.Once {
		text += ", for one sign-in"
	}
	return text
}

func passPath(id string) string { return "/users/" + id + "/authentication/temporaryAccessPassMethods" }

// passes lists the passes of a user: one at most.
func (c graph) passes(ctx context.Context, id string) ([]pass, reply, error) {
	return list[pass](ctx, c.client, call{path: passPath(id), needs: mayPass})
}

// dropPass deletes one; one that is gone is no error.
func (c graph) dropPass(ctx context.Context, id, pass string) error {
	if !validOpaque(pass) {
		return c.nonsense("DELETE "+passPath(id), reply{})
	}
	_, err := c.do(ctx, call{method: http.MethodDelete, path: passPath(id) + "/" + url.PathEscape(pass), needs: mayPass})
	if isGone(err) {
		return nil
	}
	return err
}

// A method is one way to sign in.
type method struct {
	ID   string `json:"id"`
	Type string `json:"@odata.type"`
	pass
}

// A group is one that a user is in.
type group struct {
	ID       string `json:"id"`
	Type     string `json:"@odata.type"`
	Name     string `json:"displayName"`
	Assigned bool   `json:"isAssignableToRole"`
}

// groups lists the groups that can carry roles, and that a user is in.
func (c graph) groups(ctx context.Context, id string) (out []group, r reply, err error) {
	all, r, err := list[group](ctx, c.client, call{path: "/users/" + id + "/transitiveMemberOf", needs: mayGroups})
	for _, g := range all {
		if g.Assigned {
			out = append(out, g)
		}
	}
	return out, r, err
}

// disable or enable changes whether one can sign in, and nothing else: one
// property that is refused would take the rest of the change with it.
func (c graph) enable(ctx context.Context, id string, on bool) error {
	_, err := c.do(ctx, call{method: http.MethodPatch, path: "/users/" + id, body: map[string]any{"accountEnabled": on}, needs: mayDisable})
	return err
}

func (c graph) revoke(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/users/" + id + "/revokeSignInSessions", needs: mayRevoke})
	return err
}

func (c graph) remove(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: "/users/" + id, needs: mayDelete})
	return err
}

func (c graph) purge(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: "/directory/deletedItems/" + id, needs: mayPurge})
	return err
}

// An organization is the Entra tenant itself.
type organization struct {
	ID      string `json:"id"`
	Name    string `json:"displayName"`
	Domains []struct {
		Name    string `json:"name"`
		Initial bool   `json:"isInitial"`
	} `json:"verifiedDomains"`
}

func (c graph) organization(ctx context.Context) (organization, error) {
	all, r, err := list[organization](ctx, c.client, call{path: "/organization", query: url.Values{"$select": {"id,displayName,verifiedDomains"}}, needs: mayOrg})
	if err != nil {
		return organization{}, err
	}
	if len(all) != 1 {
		return organization{}, c.nonsense("GET /organization", r)
	}
	return all[0], nil
}

// stamp is how instants stand in facts: whole seconds, UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
