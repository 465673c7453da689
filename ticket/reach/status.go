package reach

import (
	"fmt"
	"strings"

	"jitney/ticket"
)

// StatusNamed finds the one status of a system that people call name, without
// regard to case; ticket.Rejected if there is none, or several. Into all goes
// what is in use only.
func StatusNamed[ID comparable](all map[ID]string, name, system string) (id ID, err error) {
	same := 0
	for one, called := range all {
		if strings.EqualFold(strings.TrimSpace(called), strings.TrimSpace(name)) {
			id, same = one, same+1
		}
	}
	if same != 1 {
		return id, &ticket.Trouble{Kind: ticket.Rejected, Text: fmt.Sprintf("%s has %d statuses in use that are called %s; there must be one.", system, same, Clean(name, 60))}
	}
	return id, nil
}
