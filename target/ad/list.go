package ad

import (
	"context"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
)

// List reports every account in our unit that bears our mark.
func (s *system) List(ctx context.Context) ([]access.Account, error) {
	f, err := s.all(ctx)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ids, err := f.ids(ctx)
	if err != nil {
		return nil, explain(err, "list temporary accounts", f.first().dc)
	}
	var all []access.Account
	for _, id := range ids {
		a := access.Account{ID: id}
		if a.Seen, err = f.observe(ctx, a); err != nil {
			return nil, explain(err, "read a temporary account", f.first().dc)
		}
		if a.Seen.Exists {
			a.Username, a.ObjectID = a.Seen.Username, a.Seen.ObjectID
			all = append(all, a)
		}
	}
	return all, nil
}

// ids lists the marks that any server shows.
func (f *fleet) ids(ctx context.Context) (ids []string, err error) {
	for i, sv := range f.servers {
		found, err := sv.search(ctx, sv.ou, ldap.ScopeWholeSubtree, "("+markAttr+"="+markPrefix+"*)", markAttr)
		if err != nil && i == 0 {
			return nil, err
		}
		for _, e := range found {
			if m, ok := parseMark(e.GetAttributeValue(markAttr)); ok && !slices.Contains(ids, m.id) {
				ids = append(ids, m.id)
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}
