package redmine

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// An ident is an id, as text.
type ident string

func (i *ident) UnmarshalJSON(text []byte) error {
	*i = ident(strings.Trim(string(text), `"`))
	return nil
}

// A ref names another thing.
type ref struct {
	ID   ident
	Name string
}

// A stamp is a time; what is not set or cannot be read is zero.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(text []byte) error {
	var v string
	if json.Unmarshal(text, &v) == nil {
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			s.Time = at
		}
	}
	return nil
}

type issue struct {
	ID         ident
	Subject    string
	Project    ref
	AssignedTo ref `json:"assigned_to"`
	Status     struct {
		ID       ident
		Name     string
		IsClosed *bool `json:"is_closed"`
	}
	CreatedOn stamp `json:"created_on"`
	UpdatedOn stamp `json:"updated_on"`
	Journals  []struct {
		ID           ident
		User         ref
		Notes        string
		PrivateNotes bool  `json:"private_notes"`
		CreatedOn    stamp `json:"created_on"`
	}
}

// isID reports whether id is the number of something in Redmine. A project
// also has a name of its own choice, which is not taken here.
func isID(id string) bool {
	return len(id) > 0 && len(id) <= 10 && id[0] != '0' && strings.Trim(id, "0123456789") == "" && (len(id) < 10 || id <= "2147483647")
}

// filters are conditions of a search, in the long form, in which no value can
// be taken for an operator.
type filters struct{ q url.Values }

func (f *filters) add(field, operator string, values ...string) {
	if f.q == nil {
		f.q = url.Values{"set_filter": {"1"}}
	}
	f.q.Add("f[]", field)
	f.q.Set("op["+field+"]", operator)
	for _, v := range values {
		f.q.Add("v["+field+"][]", v)
	}
}

func (f *filters) values() url.Values { return f.q }
