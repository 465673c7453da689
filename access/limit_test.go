package access_test

import (
	"testing"
	"time"

	"jitney/access"
)

func TestTheNearestSettingWins(t *testing.T) {
	length := func(place string, d time.Duration) access.Limit {
		return access.Limit{Setting: access.SessionLength, Place: place, Length: d}
	}
	everywhere, admins, others := length("", 30*time.Minute), length(access.AtScope(true), 45*time.Minute), length(access.AtScope(false), 50*time.Minute)
	customer, target := length(access.AtCustomer("c"), 2*time.Hour), length(access.AtTarget("t"), 3*time.Hour)
	for name, row := range map[string]struct {
		set   []access.Limit
		admin bool
		want  time.Duration
	}{
		"nothing set is an hour":                        {nil, false, time.Hour},
		"everywhere":                                    {[]access.Limit{everywhere}, false, 30 * time.Minute},
		"scope over everywhere":                         {[]access.Limit{everywhere, admins}, true, 45 * time.Minute},
		"the scope of others is not that of admins":     {[]access.Limit{everywhere, others}, true, 30 * time.Minute},
		"customer over scope":                           {[]access.Limit{customer, admins, everywhere}, true, 2 * time.Hour},
		"target over customer":                          {[]access.Limit{customer, target, others}, false, 3 * time.Hour},
		"another customer's is not ours":                {[]access.Limit{length(access.AtCustomer("d"), 5*time.Hour)}, false, time.Hour},
		"the longest session of roles is another thing": {[]access.Limit{{Setting: access.RoleMax, Length: 4 * time.Hour}}, false, time.Hour},
	} {
		at := access.SessionPlace{Target: "t", Customer: "c", Admin: row.admin}
		if got := at.Length(row.set); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

func TestALimitIsWithinWhatAWSTakes(t *testing.T) {
	for name, row := range map[string]struct {
		limit access.Limit
		ok    bool
	}{
		"15 minutes":                  {access.Limit{Setting: access.SessionLength, Length: 900 * time.Second}, true},
		"a second less":               {access.Limit{Setting: access.SessionLength, Length: 899 * time.Second}, false},
		"twelve hours":                {access.Limit{Setting: access.SessionLength, Length: 12 * time.Hour}, true},
		"a second more":               {access.Limit{Setting: access.SessionLength, Length: 12*time.Hour + time.Second}, false},
		"a role for an hour":          {access.Limit{Setting: access.RoleMax, Length: time.Hour}, true},
		"a role for less":             {access.Limit{Setting: access.RoleMax, Length: 59 * time.Minute}, false},
		"no such setting":             {access.Limit{Setting: "other", Length: time.Hour}, false},
		"no such place":               {access.Limit{Setting: access.SessionLength, Place: "planet:earth", Length: time.Hour}, false},
		"a place without its subject": {access.Limit{Setting: access.SessionLength, Place: "customer:", Length: time.Hour}, false},
		"a half second":               {access.Limit{Setting: access.SessionLength, Length: time.Hour + 500*time.Millisecond}, false},
	} {
		if err := row.limit.Valid(); (err == nil) != row.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
