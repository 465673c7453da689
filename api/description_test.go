package api_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// valid has another implementation of OpenAPI read the description.
func valid(t *testing.T, text string) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}
