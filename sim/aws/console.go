package aws

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

//go:embed pages
var pageFiles embed.FS

// pages are what people see.
type pages struct{ all *template.Template }

func newPages() pages { return pages{template.Must(template.ParseFS(pageFiles, "pages/*.html"))} }

// A view is the console as one session sees it at one moment.
type view struct {
	Signed  bool
	Over    bool // the session has ended
	Title   string
	Problem string
	Who     string // role/session, as the console writes it
	ARN     string
	Account string
	Alias   string
	Region  string
	Source  string
	Tags    []string
	Now     time.Time
	Ends    time.Time
	Left    string
	Denied  string // why the list of buckets cannot be shown
	Buckets []bucketView
}

type bucketView struct {
	Name    string
	Denied  string
	Objects []string
}

// render makes a page of which a browser keeps nothing.
func (p pages) render(status int, v view) answer {
	var b bytes.Buffer
	if err := p.all.ExecuteTemplate(&b, "console.html", v); err != nil {
		return answer{status: 500, header: http.Header{}, body: []byte("The page cannot be shown.")}
	}
	return answer{status: status, body: b.Bytes(), header: http.Header{
		"Content-Type": {"text/html; charset=utf-8"}, "Cache-Control": {"no-store"}, "Referrer-Policy": {"no-referrer"},
		"X-Content-Type-Options":  {"nosniff"},
		"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
	}}
}

func (p pages) problem(f *failure) answer {
	return p.render(f.Status, view{Title: "Amazon Web Services Sign-In (simulated)", Problem: f.Message})
}

func (p pages) signedOut() answer {
	return p.render(200, view{Title: "Signed out", Problem: "You are signed out of the simulated AWS console."})
}

// console shows who the visitor is, until when, and what that allows: decided anew at each look.
func (x visitor) console() answer {
	v, _ := x.anyVisit()
	if v == nil {
		return x.cloud.pages.render(http.StatusForbidden, view{Title: "Not signed in", Problem: "You are not signed in to the simulated AWS console. It lets in who comes by a sign-in link."})
	}
	who := v.key.who
	x.keyID, x.who = v.key.id, who
	if x.visit() == nil {
		x.code = "SessionEnded"
		return x.cloud.pages.render(http.StatusForbidden, view{Title: "Session ended", Over: true, Who: who.label(), Ends: v.ends.UTC(), Now: x.now})
	}
	x.region = cmp.Or(x.req.URL.Query().Get("region"), x.cloud.partition.Regions[0])
	if !slices.Contains(x.cloud.partition.Regions, x.region) {
		x.region = x.cloud.partition.Regions[0]
	}
	out := view{
		Signed: true, Title: "Console Home", Who: who.label(), ARN: who.ARN(), Account: who.account.Number, Alias: who.account.Alias, Region: x.region,
		Source: who.source, Now: x.now, Ends: v.ends.UTC(), Left: v.ends.Sub(x.now).Round(time.Second).String(),
	}
	for _, k := range slices.Sorted(maps.Keys(who.tags)) {
		out.Tags = append(out.Tags, k+" = "+who.tags[k])
	}
	x.look(&out)
	return x.cloud.pages.render(200, out)
}

// look fills in what the session may see of S3 at this moment.
func (x visitor) look(out *view) {
	all := "arn:" + x.cloud.partition.Name + ":s3:::*"
	facts := x.who.facts(x.exchange)
	if v := x.who.judge(x.now, facts, "s3:ListAllMyBuckets", all); !v.allowed {
		out.Denied = s3Denial(x.who, "s3:ListAllMyBuckets", all, v.why).Message
		x.code = "AccessDenied"
	}
	for _, b := range x.who.account.buckets() {
		shown := bucketView{Name: b.name}
		v := x.who.judge(x.now, facts, "s3:ListBucket", b.String())
		switch {
		case v.allowed:
			shown.Objects = slices.Sorted(maps.Keys(b.objects))
		case out.Denied != "":
			continue
		default:
			shown.Denied = "You do not have permission to list the objects of this bucket."
		}
		out.Buckets = append(out.Buckets, shown)
	}
}

// label is how the console's bar names a session: role/session.
func (p *principal) label() string {
	arn := p.ARN()
	return arn[strings.IndexByte(arn, '/')+1:]
}
