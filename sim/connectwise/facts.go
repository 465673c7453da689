package connectwise

import "jitney/sim/hosted"

const api = `/v\d+_\d+/apis/3\.0/`

var (
	listing = []string{"conditions", "childConditions", "customFieldConditions", "orderBy", "fields", "page", "pageSize", "pageId"}

	noteFields = []string{"id number", "ticketId number", "text string", "detailDescriptionFlag boolean", "internalAnalysisFlag boolean", "resolutionFlag boolean",
		"issueFlag boolean", "member object", "contact object", "customerUpdatedFlag boolean", "processNotifications boolean", "dateCreated string", "createdBy string"}
	entryFields = []string{"id number", "chargeToId number", "chargeToType string", "member object", "timeStart string", "actualHours number", "billableOption string", "notes string", "internalNotes string",
		"workType object", "workRole object", "addToDetailDescriptionFlag boolean", "addToInternalAnalysisFlag boolean", "addToResolutionFlag boolean", "emailResourceFlag boolean", "emailContactFlag boolean", "emailCcFlag boolean"}
)

// facts are what is publicly known of the calls that jitney makes.
var facts = []hosted.Fact{
	{Method: "GET", Path: `/login/companyinfo/[A-Za-z0-9_.-]+`, Got: []string{"CompanyName string", "CompanyID string", "Codebase string", "VersionCode string", "SiteUrl string", "IsCloud boolean"}},
	{Method: "GET", Path: api + `system/info`, Got: []string{"version string", "isCloud boolean", "serverTimeZone string"}},
	{Method: "GET", Path: api + `service/tickets`, Query: listing, Fields: "fields", Got: []string{"id number", "summary string", "recordType string", "board object", "status object", "company object", "owner object",
		"resources string", "closedFlag boolean", "mergedParentTicket object", "_info object"}},
	{Method: "GET", Path: api + `service/tickets/\d+/notes`, Query: listing, Fields: "fields", Got: noteFields},
	{Method: "POST", Path: api + `service/tickets/\d+/notes`, Sent: noteFields, Got: noteFields},
	{Method: "GET", Path: api + `service/boards`, Query: listing, Fields: "fields", Got: []string{"id number", "name string", "inactiveFlag boolean"}},
	{Method: "GET", Path: api + `service/boards/\d+/statuses`, Query: listing, Fields: "fields", Got: []string{"id number", "name string", "board object", "inactive boolean", "closedStatus boolean", "timeEntryNotAllowed boolean", "defaultFlag boolean"}},
	{Method: "PATCH", Path: api + `service/tickets/\d+`, Sent: []string{"op string", "path string", "value number"}, Got: []string{"id number", "summary string"}},
	{Method: "POST", Path: api + `time/entries`, Sent: entryFields, Got: entryFields},
	{Method: "GET", Path: api + `time/entries`, Query: listing, Fields: "fields", Got: entryFields},
	{Method: "GET", Path: api + `time/work(Types|Roles)`, Query: listing, Fields: "fields", Got: []string{"id number", "name string", "inactiveFlag boolean"}},
	{Method: "GET", Path: api + `company/companies`, Query: listing, Fields: "fields", Got: []string{"id number", "identifier string", "name string", "status object", "deletedFlag boolean"}},
}
