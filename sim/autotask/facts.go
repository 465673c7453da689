package autotask

import (
	"slices"
	"strings"

	"jitney/sim/hosted"
)

const api = `/ww\d/ATServicesRest/V1\.0/`

var (
	ticketFields = []string{"id number", "ticketNumber string", "title string", "status number", "companyID number", "assignedResourceID number", "assignedResourceRoleID number", "createDate string", "lastActivityDate string", "completedDate string"}
	noteFields   = []string{"id number", "ticketID number", "title string", "description string", "noteType number", "publish number", "createDateTime string"}
	timeFields   = []string{"id number", "ticketID number", "resourceID number", "roleID number", "dateWorked string", "startDateTime string", "endDateTime string", "hoursWorked number", "summaryNotes string",
		"internalNotes string", "createDateTime string"}
	queryFields = []string{"filter list", "MaxRecords number", "IncludeFields list"}
	made        = []string{"itemId number", "errors list"}

	// entities are what can be queried, with its fields.
	entities = map[string][]string{"Tickets": ticketFields, "TicketNotes": noteFields, "TimeEntries": timeFields,
		"Companies": {"id number", "companyName string", "companyType number", "isActive boolean"},
		"Resources": {"id number", "userName string", "email string", "firstName string", "lastName string", "isActive boolean"}, "Roles": {"id number", "name string", "isActive boolean"}}
)

// facts are what is publicly known of the calls that jitney makes.
func facts() []hosted.Fact {
	all := []hosted.Fact{
		{Method: "GET", Path: `/atservicesrest/v1\.0/zoneInformation`, Query: []string{"user"}, Got: []string{"zoneName string", "url string", "webUrl string", "ci number"}},
		{Method: "GET", Path: api + `ThresholdInformation`, Got: []string{"externalRequestThreshold number", "requestThresholdTimeframe number", "currentTimeframeRequestCount number"}},
		{Method: "GET", Path: api + `(Tickets|TicketNotes)/entityInformation/fields`, Got: []string{"fields list"}},
		{Method: "POST", Path: api + `TimeEntries`, Sent: timeFields, Got: made},
		{Method: "PATCH", Path: api + `Tickets`, Sent: []string{"id number", "status number"}, Got: made},
		{Method: "GET", Path: api + `Tickets/\d+`, Got: []string{"item object"}},
		{Method: "POST", Path: api + `Tickets/\d+/Notes`, Sent: []string{"title string", "description string", "noteType number", "publish number"}, Got: made},
	}
	for name, fields := range entities {
		all = append(all, hosted.Fact{Method: "POST", Path: api + name + "/query", Sent: queryFields, Under: "items", Got: fields})
	}
	return all
}

// asked complains about conditions that the facts do not know.
func (s *Server) asked(entity string, conditions []condition) {
	for _, c := range conditions {
		known := slices.ContainsFunc(entities[entity], func(f string) bool { return strings.HasPrefix(f, c.Field+" ") })
		if !slices.Contains([]string{"eq", "noteq", "gt", "lt", "in", "contains", "or"}, c.Op) || (c.Op == "or") != (c.Field == "") || c.Field != "" && !known {
			s.Complain("%s have no condition %+v", entity, c)
		}
		s.asked(entity, c.Items)
	}
}
