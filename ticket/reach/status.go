package reach

import (
	"fmt"
	"strings"

	"jitney/ticket"
)

// StatusNamed finds the one status of a system that people call name, without
// regard to case; ticket.Rejected if there is none, or several.
func StatusNamed(all map[int64]string, name, system string) (int64, error) {
	var same []int64
	for id, called := range all {
		if strings.EqualFold(strings.TrimSpace(called), strings.TrimSpace(name)) {
			same = append(same, id)
		}
	}
	if len(same) != 1 {
		return 0, &ticket.Trouble{Kind: ticket.Rejected, Text: fmt.Sprintf("%s has %d statuses that are called %s; there must be one.", system, len(same), Clean(name, 60))}
	}
	return same[0], nil
}
