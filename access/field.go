package access

// A Field is one setting of a connector, as its form shows it.
type Field struct {
	Name, Title, Help string
	Example           string   // shown as placeholder
	Secret            bool     // stored sealed, never shown again
	Required          bool     // must not be empty
	Lines             bool     // several lines, such as a certificate
	Options           []string // if set, one of these; the first is the default
	Place             bool     // says which place it is, and cannot change while access is live there
	Route             bool     // says where stored secrets are sent, or whom they are believed to be for: whoever changes it enters them again
	Picked            bool     // the connected system tells what can be chosen, once it can be asked
	Many              bool     // several values, parted by commas
	Random            bool     // the form of a new one offers a value that nobody can guess; no two customers have the same
}
