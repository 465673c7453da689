package aws

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// iamPolicyOperations are IAM's operations on what roles allow.
func iamPolicyOperations() []*operation {
	on := func(name string, do func(*exchange) ([]node, *failure), fields ...field) *operation {
		return &operation{service: serviceIAM, name: name, fields: append([]field{roleField()}, fields...), resource: roleResource, do: do}
	}
	arn := field{name: "PolicyArn", required: true, min: 20, max: 2048}
	return []*operation{
		on("PutRolePolicy", putRolePolicy, policyField(), documentField("PolicyDocument")),
		on("GetRolePolicy", getRolePolicy, policyField()),
		on("DeleteRolePolicy", deleteRolePolicy, policyField()),
		on("ListRolePolicies", listRolePolicies, pageFields()...),
		on("AttachRolePolicy", attachRolePolicy, arn),
		on("DetachRolePolicy", detachRolePolicy, arn),
		on("ListAttachedRolePolicies", listAttachedRolePolicies, pageFields()...),
		{
			service: serviceIAM, name: "SimulatePrincipalPolicy", do: simulatePrincipalPolicy,
			resource: func(x *exchange) string { return x.str("PolicySourceArn") },
			fields: append(pageFields(),
				field{name: "PolicySourceArn", required: true, min: 20, max: 2048},
				field{name: "ActionNames.member.N", required: true, min: 3, max: 128},
				field{name: "ResourceArns.member.N", min: 1, max: 2048},
				field{name: "ContextEntries.member.N.ContextKeyName", min: 5, max: 256},
				field{name: "ContextEntries.member.N.ContextKeyType"},
				field{name: "ContextEntries.member.N.ContextKeyValues.member.N"},
			),
		},
	}
}

func putRolePolicy(x *exchange) ([]node, *failure) {
	r, _, f := theRole(x)
	if f != nil {
		return nil, f
	}
	name := x.str("PolicyName")
	d, f := read(x, x.str("PolicyDocument"), identityPolicy)
	if f != nil {
		return nil, f
	}
	size := visibleRunes(d.text)
	for other, old := range r.newest().inline {
		if other != name {
			size += visibleRunes(old.text)
		}
	}
	if size > maxInline {
		return nil, &failure{Status: 409, Code: "LimitExceeded", Message: fmt.Sprintf("Maximum policy size of %d bytes exceeded for role %s", maxInline, r.Name)}
	}
	change(x, r, func(s *roleState) { s.inline[name] = d })
	return nil, nil
}

// visibleRunes counts characters as IAM does: white space is free.
func visibleRunes(text string) int {
	n := 0
	for _, r := range text {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

func getRolePolicy(x *exchange) ([]node, *failure) {
	r, s, f := theRole(x)
	if f != nil {
		return nil, f
	}
	name := x.str("PolicyName")
	d := s.inline[name]
	if d == nil {
		return nil, noSuchEntity("The role policy with name %s cannot be found.", name)
	}
	return []node{leaf("RoleName", r.Name), leaf("PolicyName", name), leaf("PolicyDocument", escape(d.text, false))}, nil
}

func deleteRolePolicy(x *exchange) ([]node, *failure) {
	r, _, f := theRole(x)
	if f != nil {
		return nil, f
	}
	name := x.str("PolicyName")
	if r.newest().inline[name] == nil {
		return nil, noSuchEntity("The role policy with name %s cannot be found.", name)
	}
	change(x, r, func(s *roleState) { delete(s.inline, name) })
	return nil, nil
}

func listRolePolicies(x *exchange) ([]node, *failure) {
	_, s, f := theRole(x)
	if f != nil {
		return nil, f
	}
	var list []node
	for _, name := range slices.Sorted(maps.Keys(s.inline)) {
		list = append(list, leaf("member", name))
	}
	return x.page("PolicyNames", list)
}

func attachRolePolicy(x *exchange) ([]node, *failure) {
	r, _, f := theRole(x)
	if f != nil {
		return nil, f
	}
	arn := x.str("PolicyArn")
	if x.cloud.managed[arn] == nil {
		return nil, noSuchEntity("Policy %s does not exist or is not attachable.", arn)
	}
	have := r.newest().managed
	if slices.Contains(have, arn) {
		return nil, nil
	}
	if len(have) >= maxAttach {
		return nil, &failure{Status: 409, Code: "LimitExceeded", Message: fmt.Sprintf("Cannot exceed quota for PoliciesPerRole: %d", maxAttach)}
	}
	change(x, r, func(s *roleState) { s.managed = append(s.managed, arn) })
	return nil, nil
}

func detachRolePolicy(x *exchange) ([]node, *failure) {
	r, _, f := theRole(x)
	if f != nil {
		return nil, f
	}
	arn := x.str("PolicyArn")
	if !slices.Contains(r.newest().managed, arn) {
		return nil, noSuchEntity("Policy %s was not found.", arn)
	}
	change(x, r, func(s *roleState) {
		s.managed = slices.DeleteFunc(s.managed, func(a string) bool { return a == arn })
	})
	return nil, nil
}

func listAttachedRolePolicies(x *exchange) ([]node, *failure) {
	_, s, f := theRole(x)
	if f != nil {
		return nil, f
	}
	var list []node
	for _, arn := range s.managed {
		list = append(list, group("member", leaf("PolicyName", arn[strings.LastIndexByte(arn, '/')+1:]), leaf("PolicyArn", arn)))
	}
	return x.page("AttachedPolicies", list)
}

// simulatePrincipalPolicy asks the policies of a role or user as they count now, with no more facts than the request gives.
func simulatePrincipalPolicy(x *exchange) ([]node, *failure) {
	arn := x.str("PolicySourceArn")
	var docs []*document
	r, s := findRole(x, arn)
	u := x.who.account.users[arn[strings.LastIndexByte(arn, '/')+1:]]
	switch {
	case r != nil && s != nil && r.account == x.who.account:
		docs = s.documents(x.cloud)
	case u != nil && u.ARN() == arn:
		docs = slices.Collect(maps.Values(u.policies))
	default:
		return nil, noSuchEntity("The entity %s cannot be found.", arn)
	}
	f := facts{}
	for i := 1; x.str(fmt.Sprintf("ContextEntries.member.%d.ContextKeyName", i)) != ""; i++ {
		entry := fmt.Sprintf("ContextEntries.member.%d.", i)
		f.set(x.str(entry+"ContextKeyName"), x.all(entry+"ContextKeyValues", "")...)
	}
	resources := x.all("ResourceArns", "")
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var list []node
	for _, action := range x.all("ActionNames", "") {
		for _, resource := range resources {
			decision := "implicitDeny"
			switch {
			case denied(docs, f, action, resource):
				decision = "explicitDeny"
			case allowed(docs, f, action, resource):
				decision = "allowed"
			}
			list = append(list, group("member", leaf("EvalActionName", action), leaf("EvalResourceName", resource),
				leaf("EvalDecision", decision), members("MatchedStatements", nil), members("MissingContextValues", nil)))
		}
	}
	return x.page("EvaluationResults", list)
}
