package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"jitney/access"
	"jitney/broker"
)

// The import pages make customers of the companies that a target knows.
type importPages struct{ *Server }

// companiesShown is how many companies one page lists.
const companiesShown = 300

type companyRow struct {
	ID, Name, Domain, Source  string
	Customer, CustomerID      string
	Target, Problem           string
	Known, New, Can, Selected bool
	Done                      bool
}

type companiesBody struct {
	TargetID, Target, CustomerID, Customer string
	IDTitle, Search, More                  string
	Rows                                   []companyRow
	Policies                               []option
	All, Can, Known                        int
	Outcome                                *importOutcome
	Wrong                                  []wrongField
	Problem                                *access.Error
	Empty                                  emptiness
}

// An importOutcome is what became of an import.
type importOutcome struct {
	Done, Known int
	Failed      []companyRow
	Made        []companyRow
}

func companyOf(r broker.CompanyRow) companyRow {
	return companyRow{ID: r.ID, Name: r.Name, Domain: r.Domain, Source: r.Source, Customer: r.Customer, CustomerID: r.CustomerID, Target: r.Target, Problem: r.Problem,
		Known: r.Target != "", New: r.Target == "" && r.CustomerID == "", Can: r.Target == "" && r.Problem == ""}
}

func (s importPages) showCompanies(v *visit) error {
	return s.companiesPage(v, http.StatusOK, nil, nil)
}

// companiesPage lists the companies, with what became of an import, or what
// was wrong with it.
func (s importPages) companiesPage(v *visit, status int, outcome *importOutcome, failed error) error {
	id := v.r.PathValue("id")
	v.section = "/customers"
	list, err := s.Broker.Places.Companies(v.ctx(), v.Person, id)
	if err != nil && access.KindOf(err) != access.NotFound {
		if _, fault := problem(err); fault == nil { // people can mend it: say so where they came from
			return places(s).targetAgain(v, err)
		}
	}
	if err != nil {
		return err
	}
	t := list.Page.Target
	customer, err := s.Broker.Places.Customer(v.ctx(), v.Person, t.Customer)
	if err != nil {
		return err
	}
	b := companiesBody{TargetID: id, Target: t.Name, CustomerID: t.Customer, Customer: customer.Customer.Name, IDTitle: list.IDTitle, Search: v.form("q"), Outcome: outcome,
		Empty: emptiness{Icon: "building-2", Title: "No companies", Text: "This target knows none. Only the directory of a service provider lists its customers."}}
	if b.Search != "" {
		b.Empty = emptiness{Icon: "search-x", Title: "Nothing found", Text: "No company has that in its name, domain or ID."}
	}
	b.rows(list.Rows, v.r.PostForm["id"], outcome == nil && failed != nil)
	if failed != nil {
		for _, f := range broker.FieldsOf(failed) {
			b.Wrong = append(b.Wrong, wrongField{Anchor: map[string]string{"policy": "policy", "id": "list"}[f.Field], Text: f.Text})
		}
		if len(b.Wrong) == 0 {
			if b.Problem, err = problem(failed); err != nil {
				return err
			}
		}
		status = statuses[access.KindOf(failed)]
	}
	policies, err := s.Broker.Settings.Policies(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	chosen := t.Policy
	if v.form("policy") != "" {
		chosen = v.form("policy")
	}
	for _, pol := range policies {
		b.Policies = append(b.Policies, option{Value: pol.Name, Label: pol.Title, Selected: pol.Name == chosen})
	}
	return s.show(v, status, "companies", "Import customers", b)
}

// rows lists those that were searched for.
func (b *companiesBody) rows(all []broker.CompanyRow, ticked []string, keep bool) {
	search := strings.ToLower(b.Search)
	found := 0
	for _, r := range all {
		row := companyOf(r)
		b.All++
		if row.Known {
			b.Known++
		}
		if !strings.Contains(strings.ToLower(row.Name+"\n"+row.Domain+"\n"+row.ID), search) {
			continue
		}
		if found++; found > companiesShown {
			continue
		}
		for _, id := range ticked {
			row.Selected = row.Selected || keep && id == row.ID
		}
		if row.Can {
			b.Can++
		}
		b.Rows = append(b.Rows, row)
	}
	if found > companiesShown {
		b.More = fmt.Sprintf("The first %d of %d are listed. Search to see others.", companiesShown, found)
	}
}

// importCompanies makes customers of the companies that were ticked.
func (s importPages) importCompanies(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	done, err := s.Broker.Places.Import(v.ctx(), v.Person, v.r.PathValue("id"), v.form("policy"), v.r.PostForm["id"])
	if err != nil && len(done) == 0 {
		if k := access.KindOf(err); k == access.NotFound || k == access.Internal {
			return err
		}
		if len(broker.FieldsOf(err)) == 0 { // the target did not answer: it is not asked again at once
			return places(s).targetAgain(v, err)
		}
		return s.companiesPage(v, http.StatusUnprocessableEntity, nil, err)
	}
	var o importOutcome
	for _, one := range done {
		row := companyOf(one.CompanyRow)
		switch {
		case one.Done:
			o.Made = append(o.Made, row)
			o.Done++
		case one.Target != "":
			o.Known++
		default:
			o.Failed = append(o.Failed, row)
		}
	}
	if err != nil { // what was made stays, and the rest can be imported again
		slog.ErrorContext(v.ctx(), "import stopped half way", "target", v.r.PathValue("id"), "err", err)
		o.Failed = append(o.Failed, companyRow{Name: "The rest", Problem: "It could not be stored, and was not imported. Tick it again."})
	}
	return s.companiesPage(v, http.StatusOK, &o, nil)
}
