package aws

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The quotas of IAM that a broker can meet.
const (
	maxInline = 10240 // characters of all inline policies of a role, without white space
	maxTrust  = 2048  // of a trust policy
	maxAttach = 10    // managed policies of a role
)

// The fields that many operations have.
func roleField() field {
	return field{name: "RoleName", required: true, min: 1, max: 64, pattern: namePattern}
}

func policyField() field {
	return field{name: "PolicyName", required: true, min: 1, max: 128, pattern: namePattern}
}

func documentField(name string) field {
	return field{name: name, required: true, min: 1, max: 131072, pattern: documentPattern}
}

func tagFields() []field {
	return []field{
		{name: "Tags.member.N.Key", min: 1, max: 128, pattern: tagKeyPattern, list: 50},
		{name: "Tags.member.N.Value", max: 256, pattern: tagValuePattern, list: 50},
	}
}

func pageFields() []field {
	return []field{
		{name: "Marker", min: 1, max: 320, pattern: `[\u0020-\u00FF]+`},
		{name: "MaxItems", number: true, min: 1, max: 1000},
	}
}

// roleResource is the ARN of the role that a request names, there or not.
func roleResource(x *exchange) string {
	name := x.str("RoleName")
	if r := x.who.account.role(name, x.now); r != nil {
		return r.ARN()
	}
	return x.who.account.arn(serviceIAM, "role"+cmp.Or(x.str("Path"), "/")+name)
}

// theRole finds the role that a request names, as reads see it.
func theRole(x *exchange) (*Role, *roleState, *failure) {
	name := x.str("RoleName")
	r := x.who.account.role(name, x.now)
	if r == nil {
		return nil, nil, noSuchEntity("The role with name %s cannot be found.", name)
	}
	return r, r.visible(x.now), nil
}

// change writes to a role, and notes that something changed.
func change(x *exchange, r *Role, f func(*roleState)) {
	r.change(f)
	x.effect = true
}

// node is the role as answers have it.
func (r *Role) node(name string, s *roleState, whole bool) node {
	out := group(name, leaf("Path", r.Path), leaf("RoleName", r.Name), leaf("RoleId", r.ID), leaf("Arn", r.ARN()),
		instant("CreateDate", r.created), leaf("AssumeRolePolicyDocument", escape(s.trust.text, false)))
	if s.description != "" {
		out.kids = append(out.kids, leaf("Description", s.description))
	}
	out.kids = append(out.kids, number("MaxSessionDuration", int(s.max/time.Second)))
	if whole && len(s.tags) > 0 {
		out.kids = append(out.kids, tagNodes(s.tags))
	}
	return out
}

func tagNodes(tags map[string]string) node {
	var list []node
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, group("member", leaf("Key", k), leaf("Value", tags[k])))
	}
	return members("Tags", list)
}

// formTags reads the tags of a form; those of IAM.
func formTags(x *exchange) (map[string]string, *failure) {
	tags, f := assumer{x}.tags()
	if f != nil {
		f.Code = "InvalidInput"
	}
	return tags, f
}

// page cuts a list into pages: the part that is asked for, and how it goes on.
func (x params) page(name string, list []node) ([]node, *failure) {
	from := 0
	if m := x.str("Marker"); m != "" {
		b, err := base64.StdEncoding.DecodeString(m)
		if from, _ = strconv.Atoi(string(b)); err != nil || from <= 0 || from > len(list) {
			return nil, validation("Invalid Marker.")
		}
	}
	to := min(len(list), from+x.num("MaxItems", 100))
	out := []node{members(name, slices.Clone(list[from:to])), truth("IsTruncated", to < len(list))}
	if to < len(list) {
		out = append(out, leaf("Marker", base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(to)))))
	}
	return out, nil
}

// read reads a policy that came with a request, and holds it to a quota.
func read(x *exchange, text string, kind policyKind) (*document, *failure) {
	d, err := parse(text, kind)
	if err != nil {
		return nil, malformedPolicy(err)
	}
	if kind != trustPolicy {
		return d, nil
	}
	if len(text) > maxTrust {
		return nil, &failure{Status: 409, Code: "LimitExceeded", Message: fmt.Sprintf("Cannot exceed quota for ACLSizePerRole: %d", maxTrust)}
	}
	for _, s := range d.statements {
		for _, name := range slices.Concat(s.Principal["AWS"], s.NotPrincipal["AWS"]) {
			if !exists(x, name) {
				return nil, malformedPolicy(malformed(`Invalid principal in policy: "AWS":"` + name + `"`))
			}
		}
	}
	return d, nil
}

// exists reports whether a trust policy may name this principal.
func exists(x *exchange, name string) bool {
	if name == "*" || x.cloud.accounts[name] != nil {
		return true
	}
	parts := strings.SplitN(name, ":", 6)
	if len(parts) != 6 || parts[1] != x.cloud.partition.Name || x.cloud.accounts[parts[4]] == nil {
		return false
	}
	a, last := x.cloud.accounts[parts[4]], parts[5][strings.LastIndexByte(parts[5], '/')+1:]
	switch {
	case parts[2] == serviceSTS && strings.HasPrefix(parts[5], "assumed-role/"):
		return true
	case parts[5] == "root":
		return true
	case strings.HasPrefix(parts[5], "user/"):
		return a.users[last] != nil
	case strings.HasPrefix(parts[5], "role/"):
		r := a.roles[last]
		return r != nil && !r.newest().gone && r.ARN() == name
	}
	return false
}
