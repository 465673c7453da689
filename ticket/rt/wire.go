package rt

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// root is where the interface begins, below the address of the web pages.
const root = "REST/2.0/"

// An ident is an id, which comes as a number in one answer and as a string in
// another.
type ident string

func (i *ident) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		*i = ident(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	*i = ident(n)
	return nil
}

// A ref names another thing. What the account may not see comes as an empty
// string.
type ref struct {
	ID   ident
	Name string
}

func (r *ref) UnmarshalJSON(text []byte) error {
	type plain ref
	if len(text) == 0 || text[0] != '{' {
		return nil
	}
	return json.Unmarshal(text, (*plain)(r))
}

// A stamp is a time; what is not set or cannot be read is zero.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(text []byte) error {
	var v string
	if json.Unmarshal(text, &v) == nil {
		if at, err := time.Parse(time.RFC3339, v); err == nil && at.Year() > 1970 {
			s.Time = at
		}
	}
	return nil
}

// A one is a ticket or a transaction.
type one struct {
	ID                   ident
	Subject, Status      string
	Queue, Owner, Object ref
	Creator              ref // whose id is a name
	Created, LastUpdated stamp
	CustomFields         []field
}

type field struct {
	Name   string
	Values texts
}

// texts are the values of a custom field. Those of images and files are no
// text, and are left out.
type texts []string

func (t *texts) UnmarshalJSON(text []byte) error {
	var values []json.RawMessage
	if json.Unmarshal(text, &values) != nil {
		return nil
	}
	for _, v := range values {
		var s string
		if json.Unmarshal(v, &s) == nil {
			*t = append(*t, s)
		}
	}
	return nil
}

// custom reports the values of the custom field called name.
func (o one) custom(name string) []string {
	for _, f := range o.CustomFields {
		if strings.EqualFold(f.Name, name) {
			return f.Values
		}
	}
	return nil
}

// A list is one page of answers. The numbers that it also holds are often
// null, and next_page names an address that nobody should believe; only that
// it is there counts.
type list[T any] struct {
	Items    []T
	NextPage string `json:"next_page"`
}

// isID reports whether id is the number of something in Request Tracker, fit
// to stand in a query and a path.
func isID(id string) bool {
	return len(id) > 0 && len(id) <= 10 && id[0] != '0' && strings.Trim(id, "0123456789") == "" && (len(id) < 10 || id <= "2147483647")
}

// quoted is text as a value in a query. Request Tracker reads a backslash as
// the sign that the next letter stands for itself.
func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// companyClause is the part of a query that keeps it to one company. It is
// false for what is no company, which finds nothing instead of everything.
func (s settings) companyClause(company string) (string, bool) {
	if s.companyField == "" {
		return "Queue = " + company, isID(company)
	}
	return "CF.{" + s.companyField + "} = " + quoted(company), company != "" && len(company) <= 255 && utf8.ValidString(company) && !strings.ContainsFunc(company, func(r rune) bool { return r < ' ' })
}

// textClause is the part of a query that looks for text: for the beginning of
// it, as far as an address holds, and without what is no text. The rest is
// compared when the answer is there.
func textClause(text string) string {
	like := "Subject LIKE " + quoted(strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text[:min(len(text), 200)], "")))
	if number := strings.TrimPrefix(text, "#"); isID(number) {
		return " AND (" + like + " OR id = " + number + ")"
	}
	return " AND " + like
}
