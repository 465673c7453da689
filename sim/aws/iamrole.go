package aws

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// iamRoleOperations are IAM's operations on roles themselves.
func iamRoleOperations() []*operation {
	max := field{name: "MaxSessionDuration", number: true, min: 3600, max: 43200}
	about := field{name: "Description", max: 1000, pattern: `[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*`}
	on := func(name string, do func(*exchange) ([]node, *failure), fields ...field) *operation {
		return &operation{service: serviceIAM, name: name, fields: append([]field{roleField()}, fields...), resource: roleResource, do: do}
	}
	return []*operation{
		on("CreateRole", createRole, append(tagFields(), documentField("AssumeRolePolicyDocument"), max, about,
			field{name: "Path", min: 1, max: 512, pattern: pathPattern})...),
		on("GetRole", getRole),
		on("UpdateRole", updateRole, max, about),
		on("DeleteRole", deleteRole),
		on("UpdateAssumeRolePolicy", updateAssumeRolePolicy, documentField("PolicyDocument")),
		on("TagRole", tagRole, required(tagFields()...)...),
		on("UntagRole", untagRole, field{name: "TagKeys.member.N", required: true, min: 1, max: 128, pattern: tagKeyPattern, list: 50}),
		on("ListRoleTags", listRoleTags, pageFields()...),
		{service: serviceIAM, name: "ListRoles", do: listRoles, fields: append(pageFields(), field{name: "PathPrefix", min: 1, max: 512, pattern: `\u002F[\u0021-\u007F]*`})},
	}
}

func createRole(x *exchange) ([]node, *failure) {
	a, name := x.who.account, x.str("RoleName")
	for _, r := range a.roles {
		if strings.EqualFold(r.Name, name) && !r.newest().gone {
			return nil, &failure{Status: 409, Code: "EntityAlreadyExists", Message: "Role with name " + name + " already exists."}
		}
	}
	trust, f := read(x, x.str("AssumeRolePolicyDocument"), trustPolicy)
	if f != nil {
		return nil, f
	}
	tags, f := formTags(x)
	if f != nil {
		return nil, f
	}
	path := x.str("Path")
	if path == "" {
		path = "/"
	}
	r := &Role{account: a, Name: name, Path: path, ID: newID("AROA", 17), created: x.now}
	s := roleState{
		counts: x.now.Add(x.cloud.delay), shows: x.now.Add(x.cloud.late), trust: trust, inline: map[string]*document{},
		description: x.str("Description"), max: time.Duration(x.num("MaxSessionDuration", 3600)) * time.Second, tags: tags,
	}
	r.versions = []roleState{s}
	a.roles[name] = r
	x.effect = true
	return []node{r.node("Role", &s, true)}, nil
}

func getRole(x *exchange) ([]node, *failure) {
	r, s, f := theRole(x)
	if f != nil {
		return nil, f
	}
	return []node{r.node("Role", s, true)}, nil
}

// updateRole sets the length of sessions back to one hour if it is not given, which is what AWS says it does.
func updateRole(x *exchange) ([]node, *failure) {
	r, _, f := theRole(x)
	if f != nil {
		return nil, f
	}
	change(x, r, func(s *roleState) {
		s.max = time.Duration(x.num("MaxSessionDuration", 3600)) * time.Second
		if about, ok := x.form["Description"]; ok {
			s.description = about[0]
		}
	})
	return []node{}, nil
}

func deleteRole(x *exchange) ([]node, *failure) {
	r, _, f := theRole(x)
	if f != nil {
		return nil, f
	}
	s := r.newest()
	conflict := func(text string) *failure { return &failure{Status: 409, Code: "DeleteConflict", Message: text} }
	switch {
	case len(s.inline) > 0:
		return nil, conflict("Cannot delete entity, must delete policies first.")
	case len(s.managed) > 0:
		return nil, conflict("Cannot delete entity, must detach all policies first.")
	}
	change(x, r, func(s *roleState) { s.gone = true })
	return nil, nil
}

func updateAssumeRolePolicy(x *exchange) ([]node, *failure) {
	r, _, f := theRole(x)
	if f != nil {
		return nil, f
	}
	trust, f := read(x, x.str("PolicyDocument"), trustPolicy)
	if f != nil {
		return nil, f
	}
	change(x, r, func(s *roleState) { s.trust = trust })
	return nil, nil
}

func tagRole(x *exchange) ([]node, *failure) {
	r, _, f := theRole(x)
	if f != nil {
		return nil, f
	}
	tags, f := formTags(x)
	if f != nil {
		return nil, f
	}
	change(x, r, func(s *roleState) {
		if s.tags == nil {
			s.tags = map[string]string{}
		}
		maps.Copy(s.tags, tags)
	})
	return nil, nil
}

func untagRole(x *exchange) ([]node, *failure) {
	r, _, f := theRole(x)
	if f != nil {
		return nil, f
	}
	change(x, r, func(s *roleState) {
		for _, k := range x.all("TagKeys", "") {
			delete(s.tags, k)
		}
	})
	return nil, nil
}

func listRoleTags(x *exchange) ([]node, *failure) {
	_, s, f := theRole(x)
	if f != nil {
		return nil, f
	}
	return x.page("Tags", tagNodes(s.tags).kids)
}

func listRoles(x *exchange) ([]node, *failure) {
	var list []node
	for _, name := range slices.Sorted(maps.Keys(x.who.account.roles)) {
		r := x.who.account.roles[name]
		if s := r.visible(x.now); s != nil && strings.HasPrefix(r.Path, x.str("PathPrefix")) {
			list = append(list, r.node("member", s, false))
		}
	}
	return x.page("Roles", list)
}
