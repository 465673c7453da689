package entra

import (
	"math/rand/v2"
	"time"
)

type pimRequest struct{}
type pimRules struct{}
type roleDefinition struct{}
type unit struct{}
type logged[T any] struct {
	at, seen time.Time
	value    T
}
type Quotas struct{ A int }
type quotas struct{ limits Quotas }

func DocumentedQuotas() Quotas                                                     { return Quotas{} }
func (c *Cloud) registerGraph()                                                    {}
func (c *Cloud) registerAdmin()                                                    {}
func (t *Tenant) audit(at time.Time, p *principal, what string, targets ...object) {}
func userTarget(u *user) object                                                    { return nil }
func (t *Tenant) roleTargets(a *assignment, now time.Time) []object                { return nil }
func quotaExceeded() *failure                                                      { return nil }
func gone() *failure                                                               { return nil }
func novelty(b []byte) []byte                                                      { return b }

var _ = rand.N[int]
