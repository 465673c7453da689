package entra

import (
	"net/url"
	"strings"

	"jitney/access"
	"jitney/target"
)

// consent is how a customer admits the app.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
func consent() *target.Consent {
	return &target.Consent{
		Title:  "Ask for admin consent",
		Help:   "A Global Administrator or Privileged Role Administrator of the customer must agree on Microsoft's page. It gives the app the permissions of its registration in that Entra tenant; a new one can take some minutes to work.",
		URL:    consentURL,
		Answer: consentAnswer,
	}
}

func consentURL(s target.Settings, redirect, state string) (string, error) {
	parsed, err := parseSettings(target.Settings{Values: s.Values})
	if err != nil {
		return "", err
	}
	if state == "" || redirect == "" {
		return "", invalid("A consent needs an address to come back to, and a state that binds it to this visit.", "")
	}
	q := url.Values{"client_id": {parsed.app}, "redirect_uri": {redirect}, "state": {state}}
	return parsed.browser + "/" + parsed.tenant + "/adminconsent?" + q.Encode(), nil
}

// consentAnswer judges what Microsoft's page sent back. The Entra tenant is
// the one of our record: what comes back is only compared with it.
func consentAnswer(s target.Settings, q url.Values) error {
	parsed, err := parseSettings(target.Settings{Values: s.Values})
	if err != nil {
		return err
	}
	switch problem := q.Get("error"); {
	case problem == "permission_denied" || problem == "access_denied":
		return &access.Error{Kind: access.Denied, Text: "The consent was not given.", Hint: "A Global Administrator or Privileged Role Administrator of the customer must agree; ask again when one is at hand."}
	case problem != "":
		return &access.Error{Kind: access.Invalid, Text: "Microsoft refused the consent (" + clip(problem, 60) + ").", Hint: "Check the application ID and the redirect address of the app registration."}
	}
	if got := strings.ToLower(q.Get("tenant")); got != parsed.tenant {
		return &access.Error{Kind: access.Denied, Text: "The consent was given for another Entra tenant than this customer's.",
			Hint: "Nothing was changed here. Open the link again in a private browser window and sign in as an administrator of this customer; withdraw the app in the other Entra tenant."}
	}
	if !strings.EqualFold(q.Get("admin_consent"), "true") {
		return &access.Error{Kind: access.Denied, Text: "Microsoft did not say that the consent was given.", Hint: "Ask again."}
	}
	return nil
}
