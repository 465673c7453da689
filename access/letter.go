package access

// A Letter is a message to people that waits to be sent by mail. Who they are
// is looked up when it is sent.
type Letter struct {
	Person  string `json:"person"` // ID of whom it concerns
	Admins  bool   `json:"admins"` // administrators too
	Subject string `json:"subject"`
	Body    string `json:"body"`
}
