package entra

// Who may read or write what: any of the permissions is enough. The lists follow Microsoft's own data.
var (
	readUsers     = []string{"User.Read.All", "User.ReadBasic.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readRoles     = []string{"RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "RoleManagement.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	writeRoles    = []string{"RoleManagement.ReadWrite.Directory"}
	readSchedules = []string{"RoleAssignmentSchedule.Read.Directory", "RoleAssignmentSchedule.ReadWrite.Directory", "RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "RoleManagement.Read.All"}
	readRules     = []string{"RoleManagement.Read.Directory", "RoleManagement.Read.All", "RoleManagement.ReadWrite.Directory", "RoleManagementPolicy.Read.Directory", "RoleManagementPolicy.ReadWrite.Directory"}
	readMethods   = []string{"UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"}
	readPasses    = []string{"UserAuthMethod-TAP.Read.All", "UserAuthMethod-TAP.ReadWrite.All", "UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"}
	writePasses   = []string{"UserAuthMethod-TAP.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All"}
	readMethodPol = []string{"Policy.Read.AuthenticationMethod", "Policy.ReadWrite.AuthenticationMethod", "Policy.Read.All"}
	readPolicies  = []string{"Policy.Read.All", "Policy.Read.ConditionalAccess", "Policy.ReadWrite.ConditionalAccess", "Policy.ReadWrite.SecurityDefaults"}
	readDomains   = []string{"Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readCompany   = []string{"Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All", "User.Read.All", "User.ReadWrite.All"}
	readLicences  = []string{"LicenseAssignment.Read.All", "Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	readUnits     = []string{"AdministrativeUnit.Read.All", "AdministrativeUnit.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	writeUnits    = []string{"AdministrativeUnit.ReadWrite.All"}
	readLogs      = []string{"AuditLog.Read.All"}
	readRelations = []string{"DelegatedAdminRelationship.Read.All", "DelegatedAdminRelationship.ReadWrite.All"}
	readApps      = []string{"Application.Read.All", "Application.ReadWrite.All", "Application.ReadWrite.OwnedBy", "Directory.Read.All", "Directory.ReadWrite.All"}
)

// operations are all that Graph does here: those of the contract.
func operations() []operation {
	var all []operation
	for _, part := range [][]operation{userOperations(), passOperations(), roleOperations(), pimOperations(), policyOperations(), companyOperations()} {
		all = append(all, part...)
	}
	return all
}

func userOperations() []operation {
	return []operation{
		{"GET", "/users", readUsers, 2, listUsers},
		{"POST", "/users", nil, 1, createUser}, // looks for itself: a Switch
		{"GET", "/users/delta", readUsers, 2, deltaUsers},
		{"GET", "/users/{user}", readUsers, 2, getUser},
		{"PATCH", "/users/{user}", nil, 1, patchUser}, // by property
		{"DELETE", "/users/{user}", []string{"User.DeleteRestore.All", "User.ReadWrite.All"}, 1, deleteUser},
		{"POST", "/users/{user}/revokeSignInSessions", []string{"User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"}, 1, revokeSessions},
		{"GET", "/users/{user}/memberOf", []string{"User.Read.All", "Directory.Read.All", "Directory.ReadWrite.All", "User.ReadWrite.All"}, 2, memberOf},
		{"GET", "/users/{user}/transitiveMemberOf", []string{"User.Read.All", "Directory.Read.All", "Directory.ReadWrite.All", "User.ReadWrite.All"}, 2, memberOf},
		{"GET", "/directory/deletedItems", readUsers, 1, listBinUncast},
		{"GET", "/directory/deletedItems/microsoft.graph.user", []string{"User.Read.All", "User.ReadWrite.All", "User.DeleteRestore.All", "Directory.Read.All"}, 1, listBin},
		{"GET", "/directory/deletedItems/{item}", []string{"User.Read.All", "User.ReadWrite.All", "User.DeleteRestore.All", "Directory.Read.All"}, 1, getBin},
		{"DELETE", "/directory/deletedItems/{item}", []string{"User.DeleteRestore.All"}, 1, purgeUser},
		{"POST", "/directory/deletedItems/{item}/restore", []string{"User.DeleteRestore.All", "User.ReadWrite.All"}, 1, restoreUser},
	}
}

func passOperations() []operation {
	const methods = "/users/{user}/authentication/"
	return []operation{
		{"GET", methods + "methods", readMethods, 1, listMethods},
		{"GET", methods + "passwordMethods", append([]string{"UserAuthMethod-Password.Read.All"}, readMethods...), 1, listPasswords},
		{"GET", methods + "temporaryAccessPassMethods", readPasses, 1, listPasses},
		{"POST", methods + "temporaryAccessPassMethods", writePasses, 1, createPass},
		{"GET", methods + "temporaryAccessPassMethods/{pass}", readPasses, 1, getPass},
		{"DELETE", methods + "temporaryAccessPassMethods/{pass}", writePasses, 1, deletePass},
	}
}

func roleOperations() []operation {
	const base = "/roleManagement/directory/"
	return []operation{
		{"GET", base + "roleDefinitions", readRoles, 1, listDefinitions},
		{"GET", base + "roleDefinitions/{role}", readRoles, 1, getDefinition},
		{"GET", base + "roleAssignments", readRoles, 1, listAssignments},
		{"POST", base + "roleAssignments", writeRoles, 1, createAssignment},
		{"GET", base + "roleAssignments/{assignment}", readRoles, 1, getAssignment},
		{"DELETE", base + "roleAssignments/{assignment}", writeRoles, 1, deleteAssignment},
		{"GET", "/directoryRoles", readRoles, 1, listRoles},
		{"POST", "/directoryRoles", writeRoles, 1, activateRole},
		{"GET", "/directoryRoles/{role}", readRoles, 1, getRole},
		{"GET", "/{directoryRoles}", readRoles, 1, getRoleByTemplate},
		{"GET", "/directoryRoles/{role}/members", readRoles, 1, listMembers},
		{"POST", "/directoryRoles/{role}/members/$ref", writeRoles, 1, addMember},
		{"DELETE", "/directoryRoles/{role}/members/{member}/$ref", writeRoles, 1, removeMember},
	}
}

func pimOperations() []operation {
	const base = "/roleManagement/directory/roleAssignmentSchedule"
	write := []string{"RoleAssignmentSchedule.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory", "RoleAssignmentSchedule.Remove.Directory"}
	return []operation{
		{"GET", base + "Requests", readSchedules, 1, listRequests},
		{"POST", base + "Requests", write, 1, createRequest},
		{"GET", base + "Requests/{request}", readSchedules, 1, getRequest},
		{"POST", base + "Requests/{request}/cancel", write, 1, cancelRequest},
		{"GET", base + "s", readSchedules, 1, listSchedules},
		{"GET", base + "s/{schedule}", readSchedules, 1, getSchedule},
		{"GET", base + "Instances", readSchedules, 1, listInstances},
		{"GET", base + "Instances/{instance}", readSchedules, 1, getInstance},
		{"GET", "/policies/roleManagementPolicyAssignments", readRules, 1, listPolicyAssignments},
		{"GET", "/policies/roleManagementPolicies/{policy}/rules", readRules, 1, listRules},
		{"PATCH", "/policies/roleManagementPolicies/{policy}/rules/{rule}", []string{"RoleManagementPolicy.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory"}, 1, patchRule},
	}
}

func policyOperations() []operation {
	const methods = "/policies/authenticationMethodsPolicy"
	return []operation{
		{"GET", methods, readMethodPol, 1, getMethodsPolicy},
		{"GET", methods + "/authenticationMethodConfigurations/{method}", readMethodPol, 1, getMethodConfig},
		{"PATCH", methods + "/authenticationMethodConfigurations/{method}", []string{"Policy.ReadWrite.AuthenticationMethod"}, 1, patchMethodConfig},
		{"GET", "/policies/identitySecurityDefaultsEnforcementPolicy", readPolicies, 1, getSecurityDefaults},
		{"GET", "/identity/conditionalAccess/policies", readPolicies, 1, listAccess},
		{"GET", "/auditLogs/signIns", readLogs, 1, listSignIns},
		{"GET", "/auditLogs/signIns/{entry}", readLogs, 1, getSignIn},
		{"GET", "/auditLogs/directoryAudits", readLogs, 1, listAudits},
		{"GET", "/auditLogs/directoryAudits/{entry}", readLogs, 1, getAudit},
	}
}

func companyOperations() []operation {
	const relations = "/tenantRelationships/delegatedAdminRelationships"
	return []operation{
		{"GET", "/domains", readDomains, 1, listDomains},
		{"GET", "/domains/{domain}", readDomains, 1, getDomain},
		{"GET", "/organization", readCompany, 1, listOrganization},
		{"GET", "/subscribedSkus", readLicences, 3, listSkus},
		{"GET", "/directory/administrativeUnits", readUnits, 1, listUnits},
		{"POST", "/directory/administrativeUnits", writeUnits, 1, createUnit},
		{"GET", "/directory/administrativeUnits/{unit}", readUnits, 1, getUnit},
		{"GET", "/directory/administrativeUnits/{unit}/members", readUnits, 1, listUnitMembers},
		{"POST", "/directory/administrativeUnits/{unit}/members/$ref", writeUnits, 1, addUnitMember},
		{"DELETE", "/directory/administrativeUnits/{unit}/members/{member}/$ref", writeUnits, 1, removeUnitMember},
		{"GET", "/subscriptions", nil, 1, listSubscriptions},
		{"POST", "/subscriptions", readUsers, 1, createSubscription},
		{"GET", "/subscriptions/{subscription}", nil, 1, getSubscription},
		{"PATCH", "/subscriptions/{subscription}", nil, 1, patchSubscription},
		{"DELETE", "/subscriptions/{subscription}", nil, 1, deleteSubscription},
		{"GET", relations, readRelations, 1, listRelations},
		{"POST", relations, []string{"DelegatedAdminRelationship.ReadWrite.All"}, 1, createRelation},
		{"GET", relations + "/{relation}", readRelations, 1, getRelation},
		{"GET", relations + "/{relation}/accessAssignments", readRelations, 1, listRelationAccess},
		{"GET", "/tenantRelationships/delegatedAdminCustomers", readRelations, 1, listCustomers},
		{"GET", "/contracts", []string{"Directory.Read.All", "Directory.ReadWrite.All"}, 3, listContracts},
		{"GET", "/servicePrincipals", readApps, 1, listPrincipals},
		{"GET", "/servicePrincipals/{principal}/appRoleAssignments", readApps, 1, listAppRoles},
	}
}
