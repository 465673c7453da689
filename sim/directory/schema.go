package directory

import "strings"

// A syntax says how values of an attribute compare.
type syntax int

const (
	text syntax = iota
	number
	binaryValue
	sidValue
	dnValue
)

// An attributeType is what the domain knows of an attribute. Attributes that are not listed are text with many values.
type attributeType struct {
	name   string
	kind   syntax
	single bool
	fixed  bool   // only the directory writes it
	id     string // schemaIDGUID, by which rights name it
	set    string // the property set that holds it
}

// Property sets and extended rights, [MS-ADTS] 5.1.3.2.1 and 6.1.1.2.7.
const (
	setRestrictions = "4c164200-20c0-11d0-a768-00aa006e0529" // User-Account-Restrictions
	setPersonal     = "77b5b886-944a-11d1-aebd-0000f80367c1" // Personal-Information
	setPublic       = "e48d0154-bcf8-11d1-8702-00c04fb96050" // Public-Information
	setGeneral      = "59ba2f42-79a2-11d0-9020-00c04fc2d3cf" // General-Information
	rightReset      = "00299570-246d-11d0-a768-00aa006e0529" // User-Force-Change-Password
	classUser       = "bf967aba-0de6-11d0-a285-00aa003049e2"
	classGroup      = "bf967a9c-0de6-11d0-a285-00aa003049e2"
	classUnit       = "bf967aa5-0de6-11d0-a285-00aa003049e2"
	classComputer   = "bf967a86-0de6-11d0-a285-00aa003049e2"
)

var attributeTypes = []attributeType{
	{name: "accountExpires", kind: number, single: true, id: "bf967915-0de6-11d0-a285-00aa003049e2", set: setRestrictions},
	{name: "adminCount", kind: number, single: true, id: "bf967918-0de6-11d0-a285-00aa003049e2"},
	{name: "altSecurityIdentities", id: "00fbf30c-91fe-11d1-aebc-0000f80367c1", set: setPublic},
	{name: "badPwdCount", kind: number, single: true, fixed: true},
	{name: "cn", single: true},
	{name: "description", id: "bf967950-0de6-11d0-a285-00aa003049e2", set: setPublic},
	{name: "displayName", single: true, id: "bf967953-0de6-11d0-a285-00aa003049e2", set: setGeneral},
	{name: "distinguishedName", kind: dnValue, single: true, fixed: true},
	{name: "dNSHostName", single: true, id: "72e39547-7b18-11d1-adef-00c04fd8d5cd"},
	{name: "givenName", single: true, id: "f0f8ff8e-1191-11d0-a060-00aa006c33ed", set: setPublic},
	{name: "groupType", kind: number, single: true, id: "9a9a021e-4a5b-11d1-a9c3-0000f80367c1"},
	{name: "info", single: true, id: "bf96793e-0de6-11d0-a285-00aa003049e2", set: setPersonal},
	{name: "isDeleted", single: true, fixed: true},
	{name: "lockoutTime", kind: number, single: true, id: "28630ebf-41d5-11d1-a9c1-0000f80367c1"},
	{name: "logonHours", kind: binaryValue, single: true, id: "bf9679ab-0de6-11d0-a285-00aa003049e2"},
	{name: "mail", single: true, id: "bf967961-0de6-11d0-a285-00aa003049e2", set: setPublic},
	{name: "managedBy", kind: dnValue, single: true, id: "0296c120-40da-11d1-a9c0-0000f80367c1"},
	{name: "maxPwdAge", kind: number, single: true},
	{name: "member", kind: dnValue, id: "bf9679c0-0de6-11d0-a285-00aa003049e2"},
	{name: "memberOf", kind: dnValue, fixed: true},
	{name: "minPwdLength", kind: number, single: true},
	{name: "msDS-AllowedToActOnBehalfOfOtherIdentity", kind: binaryValue, single: true, id: "3f78c3e5-f79a-46bd-a0b8-9d18116ddc79"},
	{name: "msDS-AllowedToDelegateTo", id: "800d94d7-b7a1-42a1-b14d-7cae1423d07f"},
	{name: "msDS-EnabledFeature", kind: dnValue},
	{name: "msDS-KeyCredentialLink", id: "5b47d60f-6090-40b2-9f37-2a4de88f3063"},
	{name: "msDS-OptionalFeatureGUID", kind: binaryValue, single: true},
	{name: "msDS-User-Account-Control-Computed", kind: number, single: true, fixed: true},
	{name: "name", single: true, fixed: true},
	{name: "nTSecurityDescriptor", kind: binaryValue, single: true},
	{name: "objectCategory", kind: dnValue, single: true},
	{name: "objectClass"},
	{name: "objectGUID", kind: binaryValue, single: true, fixed: true},
	{name: "objectSid", kind: sidValue, single: true, fixed: true},
	{name: "ou", single: true},
	{name: "primaryGroupID", kind: number, single: true, id: "bf967a00-0de6-11d0-a285-00aa003049e2"},
	{name: "pwdLastSet", kind: number, single: true, id: "bf967a0a-0de6-11d0-a285-00aa003049e2", set: setRestrictions},
	{name: "sAMAccountName", single: true, id: "3e0abfd0-126a-11d0-a060-00aa006c33ed", set: setGeneral},
	{name: "sAMAccountType", kind: number, single: true, fixed: true},
	{name: "scriptPath", single: true, id: "bf9679a8-0de6-11d0-a285-00aa003049e2"},
	{name: "servicePrincipalName", id: "f3a64788-5306-11d1-a9c5-0000f80367c1", set: setPublic},
	{name: "sIDHistory", kind: sidValue, fixed: true},
	{name: "sn", single: true, id: "bf967a41-0de6-11d0-a285-00aa003049e2", set: setPublic},
	{name: "tokenGroups", kind: sidValue, fixed: true},
	{name: "unicodePwd", kind: binaryValue, single: true, id: "bf9679e1-0de6-11d0-a285-00aa003049e2"},
	{name: "userAccountControl", kind: number, single: true, id: "bf967a68-0de6-11d0-a285-00aa003049e2", set: setRestrictions},
	{name: "userPrincipalName", single: true, id: "28630ebb-41d5-11d1-a9c1-0000f80367c1", set: setPublic},
	{name: "uSNChanged", kind: number, single: true, fixed: true},
	{name: "whenChanged", single: true, fixed: true},
	{name: "whenCreated", single: true, fixed: true},
}

// typeOf finds the type of an attribute, whatever the case of its name.
func typeOf(name string) attributeType {
	for _, t := range attributeTypes {
		if strings.EqualFold(t.name, name) {
			return t
		}
	}
	return attributeType{name: name}
}

// classes are the kinds of object that can be made, with all their superclasses.
var classes = map[string][]string{
	"user":               {"top", "person", "organizationalPerson", "user"},
	"computer":           {"top", "person", "organizationalPerson", "user", "computer"},
	"group":              {"top", "group"},
	"organizationalUnit": {"top", "organizationalUnit"},
	"container":          {"top", "container"},
}

// classOf finds the most special of the given classes that can be made.
func classOf(given []string) (string, bool) {
	for _, want := range []string{"computer", "user", "group", "organizationalUnit", "container"} {
		for _, g := range given {
			if strings.EqualFold(g, want) {
				return want, true
			}
		}
	}
	return "", false
}

// childTypes are the identifiers by which rights to create and delete name a class.
var childTypes = map[string]string{"user": classUser, "group": classGroup, "organizationalUnit": classUnit, "computer": classComputer, "container": ""}

// Bits of userAccountControl, [MS-ADTS] 2.2.16.
const (
	uacDisabled     = 0x2
	uacLockout      = 0x10
	uacNoPassword   = 0x20
	uacNormal       = 0x200
	uacServerTrust  = 0x2000
	uacNeverExpires = 0x10000
	uacExpired      = 0x800000
)

// OIDs of controls and features.
const (
	oidPaged       = "1.2.840.113556.1.4.319"
	oidSDFlags     = "1.2.840.113556.1.4.801"
	oidTreeDelete  = "1.2.840.113556.1.4.805"
	oidDomainScope = "1.2.840.113556.1.4.1339"
	oidPermissive  = "1.2.840.113556.1.4.1413"
	oidLinkTTL     = "1.2.840.113556.1.4.2309"
	oidStartTLS    = "1.3.6.1.4.1.1466.20037"
	oidWhoAmI      = "1.3.6.1.4.1.4203.1.11.3"
	ruleAnd        = "1.2.840.113556.1.4.803"
	ruleOr         = "1.2.840.113556.1.4.804"
	ruleChain      = "1.2.840.113556.1.4.1941"
	featurePAM     = "ec43e873-cce8-4640-b4ab-07ffe4ab5bcd"
)
