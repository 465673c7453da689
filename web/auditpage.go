package web

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"jitney/access"
	"jitney/broker"
)

// The audits page is the audit log.
type audits struct{ *Server }

type auditRow struct {
	When                                            moment
	Actor, Text, Reason, Kind, Grant, Customer, Seq string
}

type reportView struct {
	Tone, Icon, Title, Text, Detail string
	Fresh                           bool
}

type auditBody struct {
	Rows              []auditRow
	Next              string
	Actor, From, To   string
	Kinds             []option
	Customers, People []option
	Filtered          bool
	Report            *reportView
	Empty             emptiness
}

func (s audits) showAudit(v *visit) error { return s.auditPage(v, nil) }

// verifyAudit reads the whole log and says what it proves.
func (s audits) verifyAudit(v *visit) error {
	r, err := s.Broker.Audit.Verify(v.ctx(), v.Person)
	if err != nil {
		return err
	}
	return s.auditPage(v, reportOf(v, r))
}

func reportOf(v *visit, r broker.AuditReport) *reportView {
	out := &reportView{Tone: "ok", Icon: "shield-check", Title: "Verified: nothing was changed, dropped or reordered", Text: r.Text, Fresh: true}
	if !r.OK {
		out.Tone, out.Icon, out.Title = "bad", "octagon-alert", "The log was tampered with, or is damaged"
	}
	out.Detail = fmt.Sprintf("%d sealed records; last checkpoint signed %s", r.Size, v.Ago(r.Checkpoint))
	if r.Unsealed > 0 {
		out.Detail += fmt.Sprintf("; %d wait to be sealed, the oldest since %s", r.Unsealed, v.Short(r.Oldest))
	}
	out.Detail += "."
	return out
}

func (s audits) auditPage(v *visit, report *reportView) error {
	q := access.RecordQuery{Customer: v.form("customer"), Actor: v.form("actor"), Kind: v.form("kind"), Before: v.form("after"),
		Grant: v.form("grant"), Subject: v.form("subject"), From: v.Day(v.form("from"))}
	if to := v.Day(v.form("to")); !to.IsZero() {
		q.To = to.AddDate(0, 0, 1)
	}
	list, err := s.Broker.Audit.List(v.ctx(), v.Person, q)
	if err != nil {
		return err
	}
	b := auditBody{Actor: q.Actor, From: v.form("from"), To: v.form("to"), Filtered: v.r.URL.RawQuery != "", Report: report,
		Empty: emptiness{Icon: "scroll-text", Title: "No records", Text: "Nothing fits these filters."}}
	for _, r := range list.Rows {
		row := auditRow{When: v.at(r.At, v.Second(r.At)), Actor: r.ActorName, Text: r.Text, Reason: r.Data["reason"], Kind: r.Kind, Grant: r.Grant, Customer: r.CustomerName, Seq: "waits"}
		if r.Seq >= 0 {
			row.Seq = strconv.FormatInt(r.Seq, 10)
		}
		b.Rows = append(b.Rows, row)
	}
	if list.Next != "" {
		b.Next = with(v, "/audit", "after", list.Next)
	}
	for _, k := range [][2]string{{"grant.", "Grants"}, {"credential.", "Passwords and passes"}, {"note.", "Ticket notes"}, {"person.", "People and sign-ins"},
		{"customer.", "Customers"}, {"target.", "Targets"}, {"consent.", "Consent of customers"}, {"policy.", "Policies"}, {"ticket.", "Tickets"}, {"audit.", "Audit"}} {
		b.Kinds = append(b.Kinds, option{Value: k[0], Label: k[1], Selected: q.Kind == k[0]})
	}
	if b.Customers, err = s.customerOptions(v, q.Customer); err != nil {
		return err
	}
	if b.People, err = s.personOptions(v, q.Actor); err != nil {
		return err
	}
	return s.show(v, http.StatusOK, "audit", "Audit", b)
}

// lazy sets the headers of a download when its first byte is there, so that an
// error before that is still a page.
type lazy struct {
	w       http.ResponseWriter
	started bool
}

func (l *lazy) Write(b []byte) (int, error) {
	if !l.started {
		l.started = true
		l.w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
		l.w.Header().Set("Content-Disposition", `attachment; filename="jitney-audit.ndjson"`)
		l.w.Header().Set("Cache-Control", "no-store")
	}
	return l.w.Write(b)
}

var _ io.Writer = (*lazy)(nil)

// exportAudit sends the log with what offline verification needs.
func (s audits) exportAudit(v *visit) error {
	out := &lazy{w: v.w}
	err := s.Broker.Audit.Export(v.ctx(), v.Person, out)
	if err != nil && out.started { // a cut file must look cut, not complete
		panic(http.ErrAbortHandler)
	}
	return err
}
