package access

import "time"

// A Visit is one sign-in of a person from one browser, for as long as it lasts.
type Visit struct {
	Key       string // hash of the token that only the browser has
	Person    string // ID
	Data      []byte
	Address   string // where it began
	Browser   string // what the browser called itself then, cut short
	BegunAt   time.Time
	SeenAt    time.Time // last use, to the minute
	ExpiresAt time.Time // of no use from then on
}
