package aws

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A document is a policy as AWS reads it.
type document struct {
	Version   string      `json:"Version"`
	Statement []statement `json:"Statement"`
}

type statement struct {
	Sid       string                      `json:"Sid,omitempty"`
	Effect    string                      `json:"Effect"`
	Action    words                       `json:"Action"`
	Resource  words                       `json:"Resource"`
	Condition map[string]map[string]words `json:"Condition,omitempty"`
}

// words are one text or a list of them, as policies have it.
type words []string

// MarshalJSON writes one word without a list, which is shorter.
func (w words) MarshalJSON() ([]byte, error) {
	if len(w) == 1 {
		return json.Marshal(w[0])
	}
	return json.Marshal([]string(w))
}

// UnmarshalJSON reads both forms.
func (w *words) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

func policyText(all ...statement) string {
	b, _ := json.Marshal(document{Version: "2012-10-17", Statement: all}) // strings and slices never fail
	return string(b)
}

var everything = words{"*"}

// sessionPolicy is what every session carries: whatever the role allows, until
// until, and no way to another session unless that is admitted. A session
// whose role is limited by another policy gets no Allow here: session policies
// allow what any of them allows.
func (s *settings) sessionPolicy(until time.Time, limited bool) string {
	var all []statement
	if !limited {
		all = append(all, statement{Effect: "Allow", Action: everything, Resource: everything})
	}
	all = append(all, statement{Effect: "Deny", Action: everything, Resource: everything,
		Condition: map[string]map[string]words{"DateGreaterThanEquals": {"aws:CurrentTime": {until.UTC().Format(time.RFC3339)}}}})
	if !s.chain {
		all = append(all, statement{Effect: "Deny", Action: words{"sts:AssumeRole"}, Resource: everything})
	}
	return policyText(all...)
}

// nothing is the policy of sessions that are thrown away.
func nothing() string {
	return policyText(statement{Effect: "Deny", Action: everything, Resource: everything})
}

// denyPrefix begins the names of all inline policies that are ours.
const denyPrefix = "jitney-end-"

const mergedWord = "merged-"

// A deny is one inline policy of ours on a role: it denies the sessions of its
// members everything. It is never changed; whoever needs another one writes
// another one, so that two that write at once do not lose each other's.
type deny struct {
	name    string
	goes    time.Time // from then on no session of its members exists
	mark    string    // whose it is; empty if it holds several
	members []string  // marks, as read; nil until then
	put     time.Time // when it was written
	roomy   bool      // it is longer than it must be
}

// age is how long ago d was written. One from the future was written by a clock
// that was ahead: it is as old as one that must count by now.
func (d deny) age() time.Duration {
	if age := time.Since(d.put); age > -clocks {
		return age
	}
	return patient
}

func denyName(goes time.Time, mark string) string {
	return denyPrefix + strconv.FormatInt(goes.Unix(), 10) + "-" + mark
}

// parseDeny reads a policy's name; false if it is none of ours.
func parseDeny(name string) (deny, bool) {
	rest, ok := strings.CutPrefix(name, denyPrefix)
	second, who, cut := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(second, 10, 64)
	if !ok || !cut || err != nil || n <= 0 || n > 1<<40 || who == "" {
		return deny{}, false
	}
	d := deny{name: name, goes: time.Unix(n, 0).UTC()}
	if !strings.HasPrefix(who, mergedWord) {
		d.mark = who
	}
	return d, true
}

const (
	sidWord = "E"
	roomSid = "x" // and more of them
)

// room is how much longer a deny of one account is than it must be. On a role
// that is full it is squeezed out, which needs no room and cuts nobody's deny,
// and makes enough of it to merge in.
const room = 120

// denyText denies everything to every session whose name ends with a mark.
// When it was written stands in the Sid, the one place for a remark.
func denyText(put time.Time, room int, marks ...string) string {
	list := make(words, len(marks))
	for i, m := range marks {
		list[i] = "*-" + m
	}
	return policyText(statement{Sid: sidWord + strconv.FormatInt(put.Unix(), 10) + strings.Repeat(roomSid, room), Effect: "Deny", Action: everything, Resource: everything,
		Condition: map[string]map[string]words{"StringLike": {"aws:userid": list}}})
}

// read fills in what a policy's text says; false if it does not deny what a
// deny of ours does, so that somebody changed it.
func (d *deny) read(text string) bool {
	var doc document
	if len(text) > 64<<10 || json.Unmarshal([]byte(text), &doc) != nil || len(doc.Statement) != 1 {
		return false
	}
	st := doc.Statement[0]
	list := st.Condition["StringLike"]["aws:userid"]
	if st.Effect != "Deny" || !slices.Equal(st.Action, everything) || !slices.Equal(st.Resource, everything) || len(st.Condition) != 1 || len(st.Condition["StringLike"]) != 1 || len(list) == 0 {
		return false
	}
	for _, pattern := range list {
		mark, ok := strings.CutPrefix(pattern, "*-")
		if !ok || len(mark) != markLength {
			return false
		}
		d.members = append(d.members, mark)
	}
	sid := strings.TrimRight(st.Sid, roomSid)
	d.roomy = sid != st.Sid
	if n, err := strconv.ParseInt(strings.TrimPrefix(sid, sidWord), 10, 64); err == nil && n > 0 && n < 1<<40 {
		d.put = time.Unix(n, 0).UTC()
	}
	return true
}
