package aws

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestOperationsAreAsAWSDescribesThem compares every operation and parameter with the description: names, what is
// required, bounds and patterns.
func TestOperationsAreAsAWSDescribesThem(t *testing.T) {
	type ref struct {
		Shape string `json:"shape"`
	}
	type shape struct {
		Type     string         `json:"type"`
		Required []string       `json:"required"`
		Members  map[string]ref `json:"members"`
		Member   ref            `json:"member"`
		Pattern  string         `json:"pattern"`
		Min      *int           `json:"min"`
		Max      *int           `json:"max"`
	}
	var files = map[string]string{serviceSTS: "model/sts-service-2.json", serviceIAM: "model/iam-service-2.json"}
	for service, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var described struct {
			Operations map[string]struct {
				Input  *ref `json:"input"`
				Output *ref `json:"output"`
			} `json:"operations"`
			Shapes map[string]shape `json:"shapes"`
		}
		if err := json.Unmarshal(text, &described); err != nil {
			t.Fatal(err)
		}
		for _, op := range New(Options{}).operations {
			if op.service != service {
				continue
			}
			is, ok := described.Operations[op.name]
			if !ok {
				t.Errorf("%s is no operation of %s", op.name, service)
				continue
			}
			for _, f := range op.fields {
				at, list, required := described.Shapes[is.Input.Shape], shape{}, false
				for i, part := range strings.Split(f.name, ".") {
					switch part {
					case "member":
						list = at
						at = described.Shapes[at.Member.Shape]
						continue
					case "N":
						continue
					}
					if i == 0 {
						required = strings.Contains(" "+strings.Join(at.Required, " ")+" ", " "+part+" ")
					}
					next, ok := at.Members[part]
					if !ok {
						t.Fatalf("%s has no parameter %s", op.name, f.name)
					}
					at = described.Shapes[next.Shape]
				}
				where := op.name + "." + f.name
				if f.required != required {
					t.Errorf("%s: required is %v", where, required)
				}
				if f.number != (at.Type == "integer") {
					t.Errorf("%s: it is %s", where, at.Type)
				}
				if at.Max != nil && f.max != *at.Max {
					t.Errorf("%s: at most %d, not %d", where, *at.Max, f.max)
				}
				if at.Min != nil && f.min != *at.Min {
					t.Errorf("%s: at least %d, not %d", where, *at.Min, f.min)
				}
				if list.Max != nil && f.list != *list.Max {
					t.Errorf("%s: at most %d entries, not %d", where, *list.Max, f.list)
				}
				if f.pattern != at.Pattern {
					t.Errorf("%s: the pattern is %s, not %s", where, at.Pattern, f.pattern)
				}
			}
		}
	}
}
