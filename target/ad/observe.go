package ad

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
)

// factMark is the name of the fact that holds the number of the last change.
const factMark = "Mark"

// factNewest is the name of the fact that holds the number of a later one,
// which only a domain controller that does not answer may know.
const factNewest = "Newest change known"

// factDomain is the name of the fact that tells which domain was asked.
const factDomain = "Domain"

// maxTries is how many names are tried for a new account.
const maxTries = 8

// Observe reads the account on every writable domain controller that answers
// and reports the worst of what they show.
func (s *system) Observe(ctx context.Context, a access.Account) (access.Observation, error) {
	f, err := s.all(ctx)
	if err != nil {
		return access.Observation{}, err
	}
	defer f.Close()
	o, err := f.observe(ctx, a)
	return o, explain(err, "read the account", f.first().dc)
}

// A view is what one domain controller showed.
type view struct {
	sv       *server
	accounts []*account
	verdicts []*verdict
	err      error
}

// look reads a on every server at the same time.
func (f *fleet) look(ctx context.Context, a access.Account) []view {
	views := make([]view, len(f.servers))
	var wg sync.WaitGroup
	for i, sv := range f.servers {
		wg.Go(func() { views[i] = sv.look(ctx, a) })
	}
	wg.Wait()
	return views
}

func (sv *server) look(ctx context.Context, a access.Account) view {
	v := view{sv: sv}
	if v.accounts, v.err = sv.find(ctx, a); v.err != nil {
		return v
	}
	for _, acc := range v.accounts {
		verdict, err := sv.judge(ctx, acc)
		if err != nil {
			return view{sv: sv, err: err}
		}
		v.verdicts = append(v.verdicts, verdict)
	}
	return v
}

// observe puts together what all servers show.
func (f *fleet) observe(ctx context.Context, a access.Account) (access.Observation, error) {
	o := access.Observation{Silent: slices.Clone(f.silent)}
	views := f.look(ctx, a)
	if err := views[0].err; err != nil {
		return o, err
	}
	unsure := f.unsure
	var answered []view
	for _, v := range views {
		if v.err != nil {
			o.Silent, unsure = append(o.Silent, v.sv.host), true
			continue
		}
		answered = append(answered, v)
	}
	o.At = time.Now().UTC()
	if was := found(a.Seen, factDomain); was != "" && was != f.first().domainSID && !a.Seen.Clean() {
		return o, &access.Error{Kind: access.Invalid, Text: "The target's settings lead to another domain than the one in which the account was made.",
			Hint: "Set the former domain again until every grant there has ended, or take the access away there by hand. For another domain, add another target."}
	}
	if !slices.ContainsFunc(answered, func(v view) bool { return len(v.accounts) > 0 }) {
		o, err := f.absent(ctx, a, o, unsure)
		f.unknown(a, &o, unsure)
		return o, err
	}
	f.merge(&o, answered)
	if known := markSeq(a.Seen); unsure && markSeq(o) < known {
		o.Left = append(o.Left, "a domain controller that does not answer ("+strings.Join(o.Silent, ", ")+") has newer changes of the account than those that do")
		o.Facts = append(o.Facts, access.Fact{Name: factNewest, Found: fmt.Sprintf("change %d, which no domain controller that answers knows", known)})
		for _, held := range slices.Concat(a.Seen.Entitlements, a.Seen.Parts) { // there it may hold them still
			if !slices.Contains(o.Entitlements, held) {
				o.Parts = union(o.Parts, []string{held})
			}
		}
	}
	f.unknown(a, &o, unsure)
	return o, nil
}

// late is how long after a change without an answer it can still take effect:
// what a domain controller had received, and what a network held back.
const late = 2 * time.Minute

// unknown keeps a clean look from being believed while a change of which no
// answer came may be on a server that does not answer, or still arrive.
func (f *fleet) unknown(a access.Account, o *access.Observation, unsure bool) {
	o.Facts = append(o.Facts, access.Fact{Name: factDomain, Found: f.first().domainSID, Clean: true})
	if a.TriedAt.IsZero() || !o.Clean() {
		return
	}
	switch {
	case unsure:
		o.Left = append(o.Left, "a domain controller that does not answer ("+strings.Join(o.Silent, ", ")+") may have made a change of which no answer came")
	case time.Since(a.TriedAt) < late:
		o.Settling = late - time.Since(a.TriedAt)
		o.Left = append(o.Left, "a change of which no answer came can still arrive")
	}
}

// found is what the fact of o with that name says; empty if there is none.
func found(o access.Observation, name string) string {
	for _, f := range o.Facts {
		if f.Name == name {
			return f.Found
		}
	}
	return ""
}

// absent is what is observed when no server knows the account.
func (f *fleet) absent(ctx context.Context, a access.Account, o access.Observation, unsure bool) (access.Observation, error) {
	name, err := f.first().freeName(ctx, a)
	if err != nil {
		return o, err
	}
	o.Username = name.UPN(f.first().sys.domain)
	o.Facts = append(o.Facts, access.Fact{Name: "Account", Found: "there is none", Clean: true}, f.asked())
	if unsure {
		o.Left = append(o.Left, "a domain controller that does not answer ("+strings.Join(o.Silent, ", ")+") may know the account")
	}
	return o, nil
}

func (f *fleet) asked() access.Fact {
	var hosts []string
	for _, sv := range f.servers {
		hosts = append(hosts, sv.host)
	}
	found := strings.Join(hosts, ", ")
	if len(f.silent) > 0 {
		found += "; no answer from " + strings.Join(f.silent, ", ")
	}
	return access.Fact{Name: "Domain controllers", Found: found, Clean: true}
}

// merge reports the worst that any server shows. The first one that knows the
// account lends its names, its end and its facts.
func (f *fleet) merge(o *access.Observation, views []view) {
	var main *account
	for _, v := range views {
		for i, acc := range v.accounts {
			verdict := v.verdicts[i]
			switch {
			case main == nil:
				main = acc
				o.Exists, o.ObjectID, o.Username = true, acc.guid, acc.upn
				if o.Username == "" {
					o.Username = acc.sam
				}
				o.Facts = append([]access.Fact{{Name: "Account name", Found: plain(acc.sam), Clean: true}}, verdict.facts...)
				if !verdict.until.IsZero() {
					o.Until = verdict.until.Add(-v.sv.skew)
				}
			case acc.guid != main.guid && verdict.harmless():
				o.Facts = append(o.Facts, access.Fact{Name: "Second account", Found: "also bears the mark, disabled, no group: " + plain(acc.dn), Clean: true})
				continue
			case acc.guid != main.guid:
				o.Extra = union(o.Extra, []string{"a second account that bears the mark: " + plain(acc.dn)})
			}
			o.Enabled = o.Enabled || verdict.enabled
			o.Entitlements = union(o.Entitlements, verdict.entitlements)
			o.Parts = union(o.Parts, verdict.parts)
			o.Extra = union(o.Extra, verdict.extra)
			o.Left = union(o.Left, at(verdict.all(), v.sv, f.first()))
		}
		if v.sv != f.first() {
			o.Facts = append(o.Facts, v.fact())
		}
	}
	o.Facts = append(o.Facts, f.asked())
	if !o.Enabled {
		o.Facts = append(o.Facts, access.Fact{Name: "May outlive the end", Found: outlives, Clean: true})
	}
}

// fact is one line about what a further domain controller shows.
func (v view) fact() access.Fact {
	if len(v.accounts) == 0 {
		return access.Fact{Name: v.sv.host, Found: "does not know the account", Clean: true}
	}
	verdict := v.verdicts[0]
	state := "disabled"
	if verdict.enabled {
		state = "enabled"
	}
	holds := "holds nothing"
	if len(verdict.entitlements)+len(verdict.extra) > 0 {
		holds = "holds " + strings.Join(slices.Concat(verdict.entitlements, verdict.extra), ", ")
	}
	return access.Fact{Name: v.sv.host, Found: state + ", " + holds, Clean: verdict.clean()}
}

// at names the server in phrases, unless it is the one that takes the changes.
func at(phrases []string, sv, first *server) []string {
	if sv == first {
		return phrases
	}
	var out []string
	for _, p := range phrases {
		out = append(out, p+", on "+sv.host)
	}
	return out
}

func union(a, b []string) []string {
	for _, x := range b {
		if !slices.Contains(a, x) {
			a = append(a, x)
		}
	}
	return a
}

// markSeq is the number of the last change that o tells of; 0 if it tells none.
func markSeq(o access.Observation) (last int64) {
	for _, f := range o.Facts {
		var seq int64
		if f.Name == factMark || f.Name == factNewest {
			_, _ = fmt.Sscanf(f.Found, "change %d,", &seq)
		}
		last = max(last, seq)
	}
	return last
}

// freeName is the name that a new account for a would get. A name that an
// account of somebody else has is an error, one that another temporary account
// has leads to the next name of the same kind.
func (sv *server) freeName(ctx context.Context, a access.Account) (Name, error) {
	for try := range maxTries {
		name := NameFor(a.Holder.Login, a.Holder.Person, sv.sys.domain, sv.sys.prefix, try)
		holder, err := sv.holderOf(ctx, name)
		if err != nil || holder == nil {
			return name, err
		}
		_, marked := parseMark(holder.GetAttributeValue(markAttr))
		if !below(holder.DN, sv.ou) || !marked {
			return name, &access.Error{Kind: access.Conflict, Text: "An account named " + name.Long + " or " + name.SAM + " already exists in the domain, and Jitney did not make it.",
				Hint: "Rename or remove that account, or set another prefix for account names in the target's settings. Jitney does not touch it."}
		}
	}
	return Name{}, &access.Error{Kind: access.Conflict, Text: "Too many temporary accounts share the name that this one should get.", Hint: "Set a prefix for account names in the target's settings."}
}

// holderOf finds the object that already has one of the names; nil if none has.
func (sv *server) holderOf(ctx context.Context, n Name) (*ldap.Entry, error) {
	sam, upn := ldap.EscapeFilter(n.SAM), ldap.EscapeFilter(n.UPN(sv.sys.domain))
	// The long form as account name counts too: it would be the same sign-in name.
	filter := "(|(sAMAccountName=" + sam + ")(sAMAccountName=" + ldap.EscapeFilter(n.Long) + ")(userPrincipalName=" + upn + "))"
	found, err := sv.search(ctx, sv.base, ldap.ScopeWholeSubtree, filter, "objectGUID", markAttr)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return found[0], nil
	}
	return sv.read(ctx, "CN="+escapeRDN(n.Long)+","+sv.ou, nil, "objectGUID", markAttr)
}
