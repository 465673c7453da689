package halo

import "jitney/sim/hosted"

var (
	actionFields = []string{"id number", "ticket_id number", "outcome string", "note string", "note_html string", "hiddenfromuser boolean", "sendemail boolean", "timetaken number",
		"dont_do_rules boolean", "new_status number", "actiondatecreated string", "datetime string"}
	ticketFields = []string{"id number", "summary string", "status_id number", "status_name string", "client_id number", "client_name string", "agent_id number", "agent_name string",
		"dateoccurred string", "dateclosed string", "lastactiondate string", "hasbeenclosed boolean", "inactive boolean"}
	agentFields = []string{"id number", "name string"}
)

// facts are what is publicly known of the calls that jitney makes. That there
// is a list of outcomes is known from clients only.
var facts = []hosted.Fact{
	{Method: "POST", Path: `/auth/token`, Query: []string{"tenant"}, Form: true, Got: []string{"token_type string", "access_token string", "expires_in number"}},
	{Method: "GET", Path: `/api/Tickets`, Query: []string{"client_id", "open_only", "includeclosed", "pageinate", "page_size", "page_no", "order", "orderdesc", "search", "ticketids"}, Under: "tickets", Got: ticketFields},
	{Method: "GET", Path: `/api/Tickets/\d+`, Got: ticketFields},
	{Method: "POST", Path: `/api/Tickets`, Sent: []string{"id number", "status_id number"}, Got: ticketFields},
	{Method: "GET", Path: `/api/Agent/(\d+|me)`, Got: agentFields},
	{Method: "GET", Path: `/api/Actions`, Query: []string{"ticket_id", "excludesys", "count", "includehtmlnote"}, Under: "actions", Got: actionFields},
	{Method: "POST", Path: `/api/Actions`, Sent: actionFields, Got: actionFields},
	{Method: "GET", Path: `/api/Client`, Query: []string{"pageinate", "page_size", "page_no", "includeactive", "includeinactive", "order"}, Under: "clients", Got: append(agentFields, "inactive boolean")},
	{Method: "GET", Path: `/api/Status`, Query: []string{"showall"}, Got: agentFields},
	{Method: "GET", Path: `/api/Outcome`, Got: []string{"id number", "outcome string"}},
}
