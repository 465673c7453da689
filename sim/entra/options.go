package entra

import (
	"net/http"
	"time"
)

// Options say how the simulated cloud behaves. The zero value has three replicas without delay, no quotas and no faults.
type Options struct {
	// Seed decides everything that is drawn by lot: delays, routing, faults with a probability, and ids, but no secret.
	Seed uint64
	// Replicas is the number of copies of each tenant that answer reads; default 3.
	Replicas int
	Routing  Routing
	Delays   Delays
	Switches Switches
	// Throttle holds callers to Quotas.
	Throttle bool
	// Quotas are how much callers may ask for; default DocumentedQuotas.
	Quotas Quotas
	// PageSize is the largest page of a list and the one without $top; default 100.
	PageSize int
	// Journal is how many of the latest requests are remembered; default 200,000.
	Journal int
	// Check, if set, is given every exchange with Graph before faults spoil the answer; what it finds is in Breaches.
	// Tests set it to contract.Check.
	Check func(req *http.Request, sent []byte, status int, header http.Header, body []byte) error
}

func (o *Options) defaults() {
	if o.Replicas <= 0 {
		o.Replicas = 3
	}
	if o.PageSize <= 0 {
		o.PageSize = 100
	}
	if o.Journal <= 0 {
		o.Journal = 200_000
	}
	if o.Quotas == (Quotas{}) {
		o.Quotas = DocumentedQuotas()
	}
}

// Routing is how requests are spread over the replicas.
type Routing int

// The ways of routing.
const (
	RoundRobin Routing = iota // each request of a tenant goes to the next replica
	Random                    // drawn from the seed
	Sticky                    // an app always talks to the same replica of a tenant
)

// Delay is a span of time drawn anew for each use: evenly between Min and Max, or one of List if that is not empty.
// A Max below Min makes it exactly Min.
type Delay struct {
	Min, Max time.Duration
	List     []time.Duration
}

// Fixed is a delay of always d.
func Fixed(d time.Duration) Delay { return Delay{Min: d, Max: d} }

// Uniform is a delay between min and max.
func Uniform(low, high time.Duration) Delay { return Delay{Min: low, Max: high} }

// Delays are how late things become visible or take effect.
type Delays struct {
	// Objects is how late a change of any directory object or role assignment reaches each replica but the one that
	// took the write.
	Objects Delay
	// Roles is how late a role that was given or taken is in effect, at the portal and when a sensitive action is
	// authorised. Microsoft names up to 15 minutes.
	Roles Delay
	// Index is how late advanced queries (ConsistencyLevel: eventual) see a change.
	Index Delay
	// Audit and SignIns are how late the two logs show an event.
	Audit, SignIns Delay
	// Consent is how late the token endpoint knows of an app that consent let in.
	Consent Delay
}

// Switches choose between behaviours that the documents leave open. The zero value is what we believe; each field
// turns one belief around.
type Switches struct {
	// BinKeepsUPN: the name of a user in the bin stays taken, and is listed without the prefix of the object id.
	BinKeepsUPN bool
	// BinKeepsEmployeeID: users in the bin still show their employeeId.
	BinKeepsEmployeeID bool
	// PurgeNeedsPerson: an app may not delete for good; 403.
	PurgeNeedsPerson bool
	// TAPOnAdminNeedsRole: making a Temporary Access Pass for an administrator is a sensitive action.
	TAPOnAdminNeedsRole bool
	// TAPOffOtherText: creating a pass while the policy is off gives another code and text.
	TAPOffOtherText bool
	// TAPDeleteEndsTokens: deleting a pass ends sign-ins made with it at once, not only at its own end.
	TAPDeleteEndsTokens bool
	// PIMDeleteRefused: DELETE of a role assignment that PIM made is refused.
	PIMDeleteRefused bool
	// MissingBeforeDenied: 404 for what is not there comes before 403 for missing permissions.
	MissingBeforeDenied bool
	// RoleRemovalAtOnce: sensitive actions are authorised by the true state, without a delay after a role was removed.
	RoleRemovalAtOnce bool
	// UserCreateRefused: the permission User.Create is not enough to create users.
	UserCreateRefused bool
	// MissingPrincipalOtherCode: a token for an app that the tenant did not let in is refused with AADSTS7000229.
	MissingPrincipalOtherCode bool
	// NoPermissionNoToken: an app that was granted nothing gets no token (AADSTS65001), not one without roles.
	NoPermissionNoToken bool
}
