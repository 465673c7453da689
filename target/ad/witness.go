package ad

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
)

// maxWatched bounds how many members a snapshot holds.
const maxWatched = 2000

// A snapshot is who holds the domain at one moment.
type snapshot struct {
	Groups  map[string]watchedGroup `json:"groups"`  // by SID
	People  map[string]watched      `json:"people"`  // by objectGUID: everyone in any of the groups
	Lists   map[string]string       `json:"lists"`   // hashes of access lists, by what they protect
	Partial bool                    `json:"partial"` // there were too many to read them all
}

type watchedGroup struct {
	Name    string   `json:"name"`
	Members []string `json:"members"` // objectGUIDs, direct and nested, sorted
}

// watched is what is kept of one member: what would be a way back in.
type watched struct {
	Name     string `json:"name"`
	Ours     bool   `json:"ours,omitempty"`     // bears our mark
	Conflict bool   `json:"conflict,omitempty"` // left by replication of two of one name
	Nested   bool   `json:"nested,omitempty"`   // a group
	State    int64  `json:"state"`              // userAccountControl
	Password string `json:"password,omitempty"` // pwdLastSet
	Doors    string `json:"doors,omitempty"`    // hash of the back doors that are set
}

// Snapshot reads the members of every protected group, and the access lists
// that decide over them.
func (s *system) Snapshot(ctx context.Context) (string, error) {
	sv, _, _, err := s.first(ctx)
	if err != nil {
		return "", err
	}
	defer sv.Close()
	w := watcher{server: sv, snap: snapshot{Groups: map[string]watchedGroup{}, People: map[string]watched{}, Lists: map[string]string{}}}
	for _, g := range sv.protectedSIDs() {
		if err := w.group(ctx, g); err != nil {
			return "", explain(err, "read the members of "+g.name, sv.dc)
		}
	}
	for name, base := range map[string]string{"the domain": sv.base, "AdminSDHolder": adminSDHolder(sv), "the unit for temporary accounts": sv.ou} {
		if err := w.list(ctx, name, base); err != nil {
			return "", explain(err, "read the access list of "+name, sv.dc)
		}
	}
	b, err := json.Marshal(w.snap)
	return string(b), err
}

type watcher struct {
	*server
	snap snapshot
}

// group records who is in g, directly, through other groups, or by primary group.
func (w *watcher) group(ctx context.Context, g group) error {
	found, err := w.server.group(ctx, bySID(g.sid))
	if err != nil || found == nil { // not every domain has every group
		return err
	}
	members := map[string]bool{}
	if err := w.expand(ctx, found.guid, g.sid, members); err != nil {
		return err
	}
	w.snap.Groups[g.sid] = watchedGroup{Name: found.name, Members: slices.Sorted(maps.Keys(members))}
	return nil
}

func (w *watcher) expand(ctx context.Context, guid, sid string, members map[string]bool) error {
	dns, err := w.values(ctx, byGUID(guid), "member")
	if err != nil {
		return err
	}
	if rid, ok := strings.CutPrefix(sid, w.domainSID+"-"); ok {
		if _, err := strconv.Atoi(rid); err == nil {
			byPrimary, err := w.search(ctx, w.base, ldap.ScopeWholeSubtree, "(primaryGroupID="+rid+")", "objectGUID")
			if err != nil {
				return err
			}
			for _, e := range byPrimary {
				dns = append(dns, e.DN)
			}
		}
	}
	for _, dn := range dns {
		if len(w.snap.People) >= maxWatched {
			w.snap.Partial = true
			return nil
		}
		if err := w.member(ctx, dn, members); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) member(ctx context.Context, dn string, members map[string]bool) error {
	attrs := []string{"objectGUID", "objectSid", "objectClass", "userAccountControl", "pwdLastSet", markAttr}
	for _, d := range backDoors {
		attrs = append(attrs, d.attr)
	}
	e, err := w.read(ctx, dn, nil, attrs...)
	if err != nil {
		return err
	}
	if e == nil { // in another domain, or gone in between
		members["?"+plain(dn)] = true
		w.snap.People["?"+plain(dn)] = watched{Name: rdn(dn)}
		return nil
	}
	guid, err := parseGUID(e.GetRawAttributeValue("objectGUID"))
	if err != nil || members[guid] {
		return err
	}
	members[guid] = true
	nested := slices.Contains(e.GetAttributeValues("objectClass"), "group")
	_, marked := parseMark(e.GetAttributeValue(markAttr))
	state, _ := strconv.ParseInt(e.GetAttributeValue("userAccountControl"), 10, 64)
	acc := account{dn: e.DN}
	w.snap.People[guid] = watched{Name: rdn(e.DN), Ours: marked && below(e.DN, w.ou), Conflict: acc.conflict(), Nested: nested,
		State: state, Password: e.GetAttributeValue("pwdLastSet"), Doors: doorsHash(e)}
	if slices.Contains(e.GetAttributeValues("objectClass"), "computer") { // they change their own, every month
		w.snap.People[guid] = watched{Name: rdn(e.DN), Conflict: acc.conflict(), State: state}
	}
	if !nested {
		return nil
	}
	sid, err := parseSID(e.GetRawAttributeValue("objectSid"))
	if err != nil {
		return err
	}
	return w.expand(ctx, guid, sid, members)
}

func doorsHash(e *ldap.Entry) string {
	h, any := sha256.New(), false
	for _, d := range backDoors {
		values := slices.Clone(e.GetAttributeValues(d.attr))
		slices.Sort(values)
		for _, v := range values {
			fmt.Fprintf(h, "%s\x00%d\x00%s", d.attr, len(v), v)
			any = true
		}
	}
	if !any {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (w *watcher) list(ctx context.Context, name, base string) error {
	e, err := w.read(ctx, base, []ldap.Control{&ldap.ControlMicrosoftSDFlags{ControlValue: 7}}, "nTSecurityDescriptor")
	if err != nil || e == nil {
		return err
	}
	if raw := e.GetRawAttributeValue("nTSecurityDescriptor"); len(raw) > 0 {
		sum := sha256.Sum256(raw)
		w.snap.Lists[name] = hex.EncodeToString(sum[:8])
	}
	return nil
}

// Compare reports what changed among those who hold the domain.
func (s *system) Compare(before, after string) ([]string, error) { return compare(before, after) }

func compare(before, after string) ([]string, error) {
	var a, b snapshot
	if json.Unmarshal([]byte(before), &a) != nil || json.Unmarshal([]byte(after), &b) != nil {
		return nil, &access.Error{Kind: access.Internal, Text: "A snapshot of the domain's privileged groups cannot be read."}
	}
	var out []string
	for _, sid := range slices.Sorted(maps.Keys(b.Groups)) {
		out = append(out, compareGroup(a, b, sid)...)
	}
	for _, sid := range slices.Sorted(maps.Keys(a.Groups)) {
		if _, ok := b.Groups[sid]; !ok {
			out = append(out, "The group "+a.Groups[sid].Name+" is gone.")
		}
	}
	for _, guid := range slices.Sorted(maps.Keys(b.People)) {
		if old, ok := a.People[guid]; ok && !old.Ours && !b.People[guid].Ours {
			out = append(out, comparePerson(old, b.People[guid])...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Lists)) {
		if old, ok := a.Lists[name]; ok && old != b.Lists[name] {
			out = append(out, "The access list of "+name+" was changed.")
		}
	}
	if a.Partial || b.Partial {
		out = append(out, fmt.Sprintf("More than %d accounts hold protected groups; not all of them were compared.", maxWatched))
	}
	return out, nil
}

func compareGroup(a, b snapshot, sid string) (out []string) {
	was, is := a.Groups[sid], b.Groups[sid]
	for _, guid := range is.Members {
		if p := b.People[guid]; !p.Ours && !slices.Contains(was.Members, guid) {
			text := p.Name + " was added to " + is.Name + "."
			if p.Conflict {
				text = p.Name + ", left by a replication conflict, is in " + is.Name + "."
			}
			out = append(out, text)
		}
	}
	for _, guid := range was.Members {
		if p := a.People[guid]; !p.Ours && !slices.Contains(is.Members, guid) {
			out = append(out, p.Name+" was removed from "+is.Name+".")
		}
	}
	if was.Name != is.Name && was.Name != "" {
		out = append(out, "The group "+was.Name+" is now called "+is.Name+".")
	}
	return out
}

func comparePerson(was, is watched) (out []string) {
	if was.Password != is.Password {
		out = append(out, "The password of "+is.Name+", who holds a protected group, was changed.")
	}
	if was.State != is.State {
		out = append(out, fmt.Sprintf("The account flags of %s, who holds a protected group, were changed (userAccountControl %d, before %d).", is.Name, is.State, was.State))
	}
	if was.Doors != is.Doors {
		out = append(out, "Other ways to sign in as "+is.Name+", who holds a protected group, were changed.")
	}
	return out
}
