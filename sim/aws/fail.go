package aws

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A failure is an error that AWS answers.
type failure struct {
	Status  int
	Code    string
	Message string
	Header  http.Header
}

func (f *failure) Error() string { return f.Code + ": " + f.Message }

func validation(format string, args ...any) *failure {
	return &failure{Status: 400, Code: "ValidationError", Message: fmt.Sprintf(format, args...)}
}

func malformedPolicy(err error) *failure {
	return &failure{Status: 400, Code: "MalformedPolicyDocument", Message: err.Error()}
}

func noSuchEntity(format string, args ...any) *failure {
	return &failure{Status: 404, Code: "NoSuchEntity", Message: fmt.Sprintf(format, args...)}
}

// An answer is what goes back to the caller.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// A node is an element of an XML answer.
type node struct {
	name string
	text string
	kids []node
}

func leaf(name, text string) node { return node{name: name, text: text} }

func number(name string, n int) node { return leaf(name, strconv.Itoa(n)) }

func truth(name string, b bool) node { return leaf(name, strconv.FormatBool(b)) }

func instant(name string, t time.Time) node {
	return leaf(name, t.UTC().Format("2006-01-02T15:04:05Z"))
}

func group(name string, kids ...node) node { return node{name: name, kids: kids} }

// members are a list as the query protocol has it.
func members(name string, kids []node) node {
	for i := range kids {
		kids[i].name = "member"
	}
	return node{name: name, kids: kids}
}

func (n node) write(b *strings.Builder) {
	b.WriteString("<" + n.name + ">")
	var text strings.Builder
	_ = xml.EscapeText(&text, []byte(n.text)) // a Builder never fails
	b.WriteString(strings.NewReplacer("&#39;", "'", "&#34;", `"`).Replace(text.String()))
	for _, k := range n.kids {
		k.write(b)
	}
	name, _, _ := strings.Cut(n.name, " ")
	b.WriteString("</" + name + ">")
}

// xmlAnswer is an answer of one element.
func (x *exchange) xmlAnswer(status int, n node) answer {
	var b strings.Builder
	if x.service == serviceS3 {
		b.WriteString(xml.Header)
	}
	n.write(&b)
	return answer{status: status, header: http.Header{"Content-Type": {"text/xml"}}, body: []byte(b.String())}
}

// namespace is the XML namespace of the service that was asked.
func (x *exchange) namespace() string {
	switch x.service {
	case serviceIAM:
		return "https://iam.amazonaws.com/doc/2010-05-08/"
	case serviceS3:
		return "http://s3.amazonaws.com/doc/2006-03-01/"
	}
	return "https://sts.amazonaws.com/doc/2011-06-15/"
}

// refuse answers with a failure, as the service that was asked does.
func (x *exchange) refuse(f *failure) answer {
	x.code = f.Code
	var a answer
	switch x.service {
	case serviceS3:
		a = x.xmlAnswer(f.Status, group("Error", leaf("Code", f.Code), leaf("Message", f.Message), leaf("RequestId", x.id), leaf("HostId", "simulated")))
	case serviceSignIn:
		a = x.cloud.pages.problem(f)
	default:
		kind := "Sender"
		if f.Status >= 500 {
			kind = "Receiver"
		}
		a = x.xmlAnswer(f.Status, group(`ErrorResponse xmlns="`+x.namespace()+`"`,
			group("Error", leaf("Type", kind), leaf("Code", f.Code), leaf("Message", f.Message)), leaf("RequestId", x.id)))
	}
	for k, v := range f.Header {
		a.header[k] = v
	}
	return a
}

// succeed answers an operation of the query protocol; IAM's operations without a result have nothing but their metadata.
func (x *exchange) succeed(action string, result []node) answer {
	kids := []node{}
	if result != nil {
		kids = append(kids, group(action+"Result", result...))
	}
	kids = append(kids, group("ResponseMetadata", leaf("RequestId", x.id)))
	return x.xmlAnswer(200, group(action+`Response xmlns="`+x.namespace()+`"`, kids...))
}
