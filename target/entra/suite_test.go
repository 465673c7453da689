package entra

import (
	"testing"

	"jitney/sim/entra"
	"jitney/target/targettest"
)

func TestSuiteWithPasses(t *testing.T) {
	targettest.Run(t, newWorld(t, worldSpec{}).peer())
}

func TestSuiteWithAStrongApp(t *testing.T) {
	targettest.Run(t, newWorld(t, worldSpec{strong: true}).peer())
}

func TestSuiteWithPasswords(t *testing.T) {
	targettest.Run(t, newWorld(t, worldSpec{strong: true, values: map[string]string{fieldCredential: credentialPass}}).peer())
}

func TestSuiteWithRolesThatEndByThemselves(t *testing.T) {
	p := newWorld(t, worldSpec{strong: true, tenant: entra.TenantSpec{Licence: entra.P2}, values: map[string]string{fieldPIM: yes}}).peer()
	p.Faulty = nil // the suite wants an end on the account itself; here it is on the role, which TestEveryCutWithPIM looks at
	targettest.Run(t, p)
}

func TestSuiteWherePIMIsNotPaidFor(t *testing.T) {
	targettest.Run(t, newWorld(t, worldSpec{values: map[string]string{fieldPIM: yes}}).peer())
}
