// Package contract holds requests to Microsoft Graph, and answers from it, to
// the shape that Microsoft publishes. Only tests import it, so that neither the
// description nor its validator becomes part of the product. It says nothing
// about permissions, timing or the meaning of a filter, and never repeats a
// value that it was given: a value may be a secret.
package contract

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Prefix starts the path of everything that the contract is about.
const Prefix = "/v1.0/"

//go:embed msgraph-subset.openapi.yaml
var description []byte

// router is built at the first use and never changes.
var router = sync.OnceValues(build)

// A Side is the half of an exchange that breaks the contract.
type Side string

// The two sides of an exchange.
const (
	Request Side = "request"
	Answer  Side = "answer"
)

// An Error is a breach of the contract. Its text names the operation, the
// side, the place and the rule, and none of the values.
type Error struct {
	Operation string // method and path
	Side      Side
	Text      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("contract: %s of %s: %s", e.Side, e.Operation, e.Text)
}

// Check reports the first breach of the contract in an exchange: the request,
// with its body apart, and the answer. A path outside Prefix is not Graph's and
// always passes. The error is an [*Error], except where the contract itself
// cannot be read. The request's own Body is neither read nor changed. A test
// that sends rubbish on purpose looks at the Side of the error.
func Check(req *http.Request, reqBody []byte, status int, header http.Header, body []byte) error {
	if !strings.HasPrefix(req.URL.Path, Prefix) {
		return nil
	}
	r, err := router()
	if err != nil {
		return fmt.Errorf("contract: read the description: %w", err)
	}
	breach := func(side Side, text string) error {
		return &Error{Operation: req.Method + " " + req.URL.Path, Side: side, Text: text}
	}

	sent := req.Clone(context.Background())
	sent.Body, sent.ContentLength = io.NopCloser(bytes.NewReader(reqBody)), int64(len(reqBody))
	route, params, err := r.FindRoute(sent)
	if err != nil {
		return breach(Request, reason(err))
	}
	input := &openapi3filter.RequestValidationInput{
		Request: sent, PathParams: params, Route: route, Options: options(),
	}
	if err := openapi3filter.ValidateRequest(sent.Context(), input); err != nil {
		return breach(Request, reason(err))
	}
	if key := unknownParameter(sent.URL.Query(), route); key != "" {
		return breach(Request, "takes no query parameter "+key)
	}

	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: status, Header: header, Options: options(),
	}
	answer.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(sent.Context(), answer); err != nil {
		return breach(Answer, reason(err))
	}
	if status == http.StatusNoContent && len(body) > 0 {
		return breach(Answer, "204 with a body")
	}
	return nil
}

// build reads the description and makes it answer for every host, since a
// simulator does not live where Graph does.
func build() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		return nil, err
	}
	doc.Servers = openapi3.Servers{{URL: strings.TrimSuffix(Prefix, "/")}}
	return gorillamux.NewRouter(doc)
}

func options() *openapi3filter.Options {
	return &openapi3filter.Options{
		AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc, // tokens have tests of their own
		IncludeResponseStatus:             true,
		RejectWhenRequestBodyNotSpecified: true,
		SkipSettingDefaults:               true,
	}
}

// unknownParameter reports a query parameter that the operation does not know;
// the validator alone would let it pass. Graph's own nextLink carries
// $skiptoken, which is part of no description.
func unknownParameter(query url.Values, route *routers.Route) string {
	for key := range query {
		known := func(p *openapi3.ParameterRef) bool {
			return p.Value.In == openapi3.ParameterInQuery && p.Value.Name == key
		}
		if key != "$skiptoken" && !slices.ContainsFunc(route.Operation.Parameters, known) && !slices.ContainsFunc(route.PathItem.Parameters, known) {
			return key
		}
	}
	return ""
}

// reason puts err into words without any value from the exchange.
func reason(err error) string {
	var schema *openapi3.SchemaError
	if errors.As(err, &schema) {
		// Of "not all of these", the one that failed says more.
		for inner := schema; schema.SchemaField == "allOf" && errors.As(schema.Origin, &inner); {
			schema = inner
		}
		return fmt.Sprintf("/%s: %s: %s", strings.Join(schema.JSONPointer(), "/"), schema.SchemaField, schema.Reason)
	}
	var answer *openapi3filter.ResponseError
	if errors.As(err, &answer) {
		return answer.Reason
	}
	var request *openapi3filter.RequestError
	if errors.As(err, &request) {
		if request.Parameter != nil {
			return fmt.Sprintf("parameter %s: %s", request.Parameter.Name, request.Reason)
		}
		return "body: " + request.Reason
	}
	if errors.Is(err, routers.ErrPathNotFound) || errors.Is(err, routers.ErrMethodNotAllowed) {
		return "no such operation"
	}
	return fmt.Sprintf("refused (%T)", err)
}
