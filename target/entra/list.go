package entra

import (
	"context"
	"net/url"
	"strings"
	"time"

	"jitney/access"
)

// List reports every account that bears our mark, among the users and in the
// bin.
func (s *system) List(ctx context.Context) ([]access.Account, error) {
	live, _, err := list[user](ctx, s.client, call{path: "/users", needs: mayRead,
		query: url.Values{"$filter": {"startsWith(userPrincipalName,'" + aliasPrefix + "')"}, "$select": {userFields}}})
	if err != nil {
		return nil, explain(err, "list temporary accounts")
	}
	binned, _, err := s.graph.bin(ctx, "startsWith(mailNickname,'"+aliasPrefix+"')")
	if err != nil {
		return nil, explain(err, "list deleted temporary accounts")
	}
	var all []access.Account
	for i, u := range append(live, binned...) {
		id := u.marked()
		if id == "" || !validGUID(u.ID) {
			continue
		}
		v := view{at: time.Now().UTC(), id: u.ID, upn: plainUPN(u)}
		if i >= len(live) {
			v.bin = &u
		} else if v.live = &u; (looker{s}).rights(ctx, access.Account{}, &v) != nil {
			continue // the next sweep reads it
		}
		a := access.Account{ID: id, Username: v.upn, ObjectID: u.ID}
		a.Seen = reporter{s}.report(a, v)
		all = append(all, a)
	}
	return all, nil
}

// plainUPN is the name of u without what the bin puts before it: the object id.
func plainUPN(u user) string {
	name := strings.ToLower(u.UserPrincipalName)
	return strings.TrimPrefix(name, strings.ReplaceAll(u.ID, "-", ""))
}
