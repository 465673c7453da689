package directory

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// groupSpec is a group that every domain has.
type groupSpec struct {
	name, sid string // the sid of builtin groups, else the RID
	kind      int64
	members   []string
}

const (
	globalGroup    = -2147483646
	localGroup     = -2147483644
	universalGroup = -2147483640
	builtinGroup   = -2147483643
)

var seedGroups = []groupSpec{
	{"Domain Users", "513", globalGroup, nil},
	{"Domain Guests", "514", globalGroup, nil},
	{"Domain Computers", "515", globalGroup, nil},
	{"Domain Controllers", "516", globalGroup, nil},
	{"Domain Admins", "512", globalGroup, []string{"Administrator"}},
	{"Schema Admins", "518", universalGroup, []string{"Administrator"}},
	{"Enterprise Admins", "519", universalGroup, []string{"Administrator"}},
	{"Group Policy Creator Owners", "520", globalGroup, []string{"Administrator"}},
	{"Read-only Domain Controllers", "521", globalGroup, nil},
	{"Protected Users", "525", globalGroup, nil},
	{"Denied RODC Password Replication Group", "572", localGroup, []string{"Domain Admins", "Schema Admins", "Enterprise Admins", "Group Policy Creator Owners", "Domain Controllers"}},
	{"Administrators", "S-1-5-32-544", builtinGroup, []string{"Administrator", "Domain Admins", "Enterprise Admins"}},
	{"Users", "S-1-5-32-545", builtinGroup, []string{"Domain Users"}},
	{"Guests", "S-1-5-32-546", builtinGroup, []string{"Domain Guests"}},
	{"Account Operators", "S-1-5-32-548", builtinGroup, nil},
	{"Server Operators", "S-1-5-32-549", builtinGroup, nil},
	{"Print Operators", "S-1-5-32-550", builtinGroup, nil},
	{"Backup Operators", "S-1-5-32-551", builtinGroup, nil},
	{"Replicator", "S-1-5-32-552", builtinGroup, nil},
	{"Remote Desktop Users", "S-1-5-32-555", builtinGroup, nil},
}

// make adds an object below parent while the domain is being built.
func (t *tree) make(parent guid, rdnType, rdn string, class []string, attrs map[string]string) *entry {
	now := generalTime(t.d.opt.Now())
	stamp := t.stamp()
	e := &entry{id: newGUID(), parent: parent, rdnType: rdnType, rdn: rdn, attrs: map[string]*attribute{}, links: map[guid]link{}, stamps: map[string]uint64{"#place": stamp}}
	e.set(stamp, "objectClass", class...)
	e.set(stamp, "objectGUID", string(e.id[:]))
	e.set(stamp, "whenCreated", now)
	e.set(stamp, "whenChanged", now)
	for k, v := range attrs {
		e.set(stamp, k, v)
	}
	t.put(e)
	return e
}

// seed builds what a new domain holds.
func seed(d *Domain, t *tree) {
	admins := []ace{{sid: d.sid + "-512", mask: mayAll, inherit: true}, {sid: d.sid + "-519", mask: mayAll, inherit: true}, {sid: "S-1-5-32-544", mask: mayAll, inherit: true}}
	root := t.make(guid{}, "", d.base, []string{"top", "domain", "domainDNS"}, map[string]string{
		"objectSid": binarySID(d.sid), "minPwdLength": strconv.Itoa(d.opt.MinPassword), "pwdProperties": "1", "pwdHistoryLength": "24",
		"maxPwdAge": strconv.FormatInt(-int64(42*24*time.Hour/100), 10), "minPwdAge": strconv.FormatInt(-int64(24*time.Hour/100), 10),
		"lockoutThreshold": strconv.Itoa(d.opt.Lockout), "msDS-Behavior-Version": "7",
	})
	d.rootID, root.acl = root.id, admins
	container := []string{"top", "container"}
	users := t.make(root.id, "CN", "Users", container, nil)
	builtin := t.make(root.id, "CN", "Builtin", []string{"top", "builtinDomain"}, nil)
	t.make(root.id, "CN", "Computers", container, nil)
	system := t.make(root.id, "CN", "System", container, nil)
	holder := t.make(system.id, "CN", "AdminSDHolder", container, nil)
	holder.guarded = true
	for _, a := range admins {
		a.inherit = false
		holder.acl = append(holder.acl, a)
	}
	for _, unit := range d.opt.Units {
		t.make(root.id, "OU", unit, []string{"top", "organizationalUnit"}, map[string]string{"ou": unit})
	}
	byName := map[string]*entry{}
	for _, a := range []struct {
		name string
		rid  int
		uac  int
	}{{"Administrator", 500, uacNormal | uacNeverExpires}, {"Guest", 501, uacNormal | uacDisabled | uacNoPassword}, {"krbtgt", 502, uacNormal | uacDisabled}} {
		e := t.make(users.id, "CN", a.name, classes["user"], map[string]string{
			"sAMAccountName": a.name, "objectSid": binarySID(d.sid + "-" + strconv.Itoa(a.rid)), "userAccountControl": strconv.Itoa(a.uac), "primaryGroupID": "513",
			"accountExpires": "0", "pwdLastSet": strconv.FormatInt(fileTime(d.opt.Now()), 10), "sAMAccountType": "805306368", "cn": a.name,
			"objectCategory": "CN=Person,CN=Schema,CN=Configuration," + d.base, "badPwdCount": "0", "lockoutTime": "0",
		})
		byName[a.name] = e
	}
	byName["Administrator"].pw.current = d.admin.Reveal()
	for _, g := range seedGroups {
		parent, sid := users.id, d.sid+"-"+g.sid
		if strings.HasPrefix(g.sid, "S-") {
			parent, sid = builtin.id, g.sid
		}
		e := t.make(parent, "CN", g.name, classes["group"], map[string]string{
			"sAMAccountName": g.name, "objectSid": binarySID(sid), "groupType": strconv.FormatInt(g.kind, 10), "cn": g.name, "sAMAccountType": "268435456",
			"objectCategory": "CN=Group,CN=Schema,CN=Configuration," + d.base,
		})
		byName[g.name] = e
		for _, m := range g.members {
			t.link(e, byName[m].id, true, 0)
		}
	}
	seedConfiguration(d, t, root.id)
}

// seedConfiguration builds the part that describes the forest: the controllers, and the features that are on.
func seedConfiguration(d *Domain, t *tree, root guid) {
	container := []string{"top", "container"}
	config := t.make(root, "CN", "Configuration", []string{"top", "configuration"}, nil)
	d.configID = config.id
	at := t.make(config.id, "CN", "Sites", container, nil)
	at = t.make(at.id, "CN", "Default-First-Site-Name", []string{"top", "site"}, nil)
	servers := t.make(at.id, "CN", "Servers", container, nil)
	computers := t.make(root, "OU", "Domain Controllers", classes["organizationalUnit"], map[string]string{"ou": "Domain Controllers"})
	for n := range d.opt.Controllers {
		name, host := fmt.Sprintf("DC%d", n+1), fmt.Sprintf("dc%d.%s", n+1, d.opt.Domain)
		pc := t.make(computers.id, "CN", name, classes["computer"], map[string]string{
			"sAMAccountName": name + "$", "objectSid": binarySID(fmt.Sprintf("%s-%d", d.sid, 1000+n)), "userAccountControl": strconv.Itoa(0x80000 | uacServerTrust),
			"primaryGroupID": "516", "dNSHostName": host, "cn": name, "sAMAccountType": "805306369",
		})
		s := t.make(servers.id, "CN", name, []string{"top", "server"}, map[string]string{"dNSHostName": host, "serverReference": t.dn(pc), "cn": name})
		t.make(s.id, "CN", "NTDS Settings", []string{"top", "applicationSettings", "nTDSDSA"}, map[string]string{"options": "1", "cn": "NTDS Settings"})
	}
	partitions := t.make(config.id, "CN", "Partitions", []string{"top", "crossRefContainer"}, map[string]string{"msDS-Behavior-Version": "7"})
	t.make(partitions.id, "CN", d.opt.NetBIOS, []string{"top", "crossRef"}, map[string]string{"nETBIOSName": d.opt.NetBIOS, "nCName": d.base, "dnsRoot": d.opt.Domain, "systemFlags": "3"})
	at = config
	for _, name := range []string{"Services", "Windows NT", "Directory Service", "Optional Features"} {
		at = t.make(at.id, "CN", name, container, nil)
	}
	id, _ := parseGUID(featurePAM)
	pam := t.make(at.id, "CN", "Privileged Access Management Feature", []string{"top", "msDS-OptionalFeature"}, map[string]string{"msDS-OptionalFeatureGUID": string(id[:])})
	d.pamID = pam.id
	if d.opt.PAM {
		partitions.set(t.stamp(), "msDS-EnabledFeature", t.dn(pam))
	}
}

// link changes a membership. ttl of 0 has no end.
func (t *tree) link(group *entry, member guid, present bool, ttl time.Duration) {
	l := link{present: present, stamp: t.stamp()}
	if ttl > 0 {
		l.until = t.d.opt.Now().Add(ttl)
	}
	group.links[member] = l
}
