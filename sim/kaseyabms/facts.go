package kaseyabms

import "jitney/sim/hosted"

// facts are what the vendor's own description tells of the calls, in its
// names. Where a list comes without its length, that is so there.
func facts() []hosted.Fact {
	paged := []string{"PageSize", "PageNumber", "Sort", "Exclude"}
	ticket := []string{"Id number", "TicketNumber string", "Title string", "AccountId number", "AccountName string", "StatusId number", "StatusName string", "AssigneeId number",
		"AssigneeName string", "CreatedOn string", "ModifiedOn string", "OpenDate string", "CompletedDate string", "ReOpenedDate string", "LastActivityUpdate string"}
	note := []string{"Id number", "CreatedOn string", "Details string", "IsInternal boolean", "TypeId number", "TypeName string", "CreatedByName string"}
	return []hosted.Fact{
		{Method: "POST", Path: `/v2/security/authenticate`, Form: true, Under: "Result", Got: []string{"AccessToken string", "RefreshToken string", "AccessTokenExpireOn string", "RefreshTokenExpireOn string"}},
		{Method: "GET", Path: `/v2/security/userinfo`, Under: "Result", Got: []string{"UserId number", "FullName string", "EmailAddress string", "BusinessName string", "IsUserSystemAdmin boolean"}},
		{Method: "POST", Path: `/v2/servicedesk/tickets/search`, Sent: []string{"PageSize number", "PageNumber number", "Sort string", "Exclude string", "Filter object"}, Under: "Result", Got: ticket},
		{Method: "GET", Path: `/v2/servicedesk/tickets/\d+`, Under: "Result", Got: ticket},
		{Method: "PATCH", Path: `/v2/servicedesk/tickets/\d+`, Sent: []string{"op string", "path string", "value number"}, Under: "Result", Got: ticket},
		{Method: "GET", Path: `/v2/servicedesk/tickets/\d+/notes`, Query: paged, Under: "Result", Got: note},
		{Method: "POST", Path: `/v2/servicedesk/tickets/\d+/notes`, Sent: []string{"Details string", "IsInternal boolean", "TypeId number", "NoteDate string"}, Under: "Result", Got: note},
		{Method: "GET", Path: `/v2/crm/accounts/lookup`, Query: append([]string{"Filter.Ids", "Filter.Name", "Filter.WithInactiveAccounts"}, paged...), Under: "Result", Got: []string{"Id number", "Name string", "IsActive boolean"}},
		{Method: "GET", Path: `/v2/system/statuses/lookup`, Under: "Result", Got: []string{"Id number", "Name string", "StatusOrder number", "IsActive boolean"}},
	}
}
