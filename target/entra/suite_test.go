package entra

import (
	"testing"

	"jitney/sim/entra"
	"jitney/target/targettest"
)

func TestSuiteWithPasses(t *testing.T) {
	targettest.Run(t, peer(worldSpec{}))
}

func TestSuiteWithAStrongApp(t *testing.T) {
	targettest.Run(t, peer(worldSpec{strong: true}))
}

func TestSuiteWithPasswords(t *testing.T) {
	targettest.Run(t, peer(worldSpec{strong: true, values: map[string]string{fieldCredential: credentialPass}}))
}

func TestSuiteWithRolesThatEndByThemselves(t *testing.T) {
	p := peer(worldSpec{strong: true, tenant: entra.TenantSpec{Licence: entra.P2}, values: map[string]string{fieldPIM: yes}})
	p.Faulty = nil // the suite wants an end on the account itself; here it is on the role, which TestEveryCutWithPIM looks at
	targettest.Run(t, p)
}

func TestSuiteWherePIMIsNotPaidFor(t *testing.T) {
	targettest.Run(t, peer(worldSpec{values: map[string]string{fieldPIM: yes}}))
}
