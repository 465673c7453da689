package web

import "strings"

// agentName shortens what a browser calls itself to its name and system.
func agentName(agent string) string {
	find := func(marks ...string) string {
		for _, m := range marks {
			mark, name, _ := strings.Cut(m, "=")
			if strings.Contains(agent, mark) {
				return name
			}
		}
		return ""
	}
	browser := find("Edg/=Edge", "OPR/=Opera", "Firefox/=Firefox", "Chrome/=Chrome", "Safari/=Safari")
	system := find("Windows=Windows", "Android=Android", "iPhone=iPhone", "iPad=iPad", "Mac OS=macOS", "Linux=Linux")
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case agent == "":
		return "Unknown"
	}
	return strings.TrimSpace(agent[:min(len(agent), 60)])
}
