package main

import (
	"cmp"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An SDK starts this program for keys again and again, and every package that
// is linked in is initialized first, whether the command needs it or not. So
// what that costs is bounded here, by counts that no load of the machine
// changes: allocations, and packages that are known to be heavy.
func TestTheProgramStartsLean(t *testing.T) {
	t.Parallel()
	const (
		most = 5500 // allocations of all packages before main; 4700 when this was written
		ours = 25   // of one package of this module
	)
	list, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	shipped := strings.Fields(string(list))
	for _, heavy := range []string{
		"github.com/prometheus", "google.golang.org/protobuf", "go.opentelemetry.io", "google.golang.org/grpc", // a tenth of the start by themselves
		"github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/service/sso", "github.com/aws/aws-sdk-go-v2/service/ssooidc", "github.com/aws/aws-sdk-go-v2/service/signin",
		"expvar", "net/http/pprof", "testing", "plugin",
	} {
		if i := slices.IndexFunc(shipped, func(p string) bool { return p == heavy || strings.HasPrefix(p, heavy+"/") }); i >= 0 {
			t.Errorf("%s is linked in, which every start pays for", shipped[i])
		}
	}
	// This test binary has more packages than the program: they do not count.
	cmd := exec.Command(os.Args[0], "aws", "--help")
	var trace strings.Builder
	cmd.Env, cmd.Stderr = []string{"JITNEY_TEST_MAIN=1", "GODEBUG=inittrace=1", "HOME=" + t.TempDir()}, &trace
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &trace)
	}
	type cost struct {
		pkg    string
		allocs int
	}
	var all []cost
	sum := 0
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) @.* bytes, (\d+) allocs$`).FindAllStringSubmatch(trace.String(), -1) {
		n, _ := strconv.Atoi(m[2])
		if !slices.Contains(shipped, m[1]) {
			continue
		}
		all, sum = append(all, cost{m[1], n}), sum+n
		if strings.HasPrefix(m[1], "jitney/") && n > ours {
			t.Errorf("%s allocates %d times before main: make what it keeps when it is first used", m[1], n)
		}
	}
	slices.SortFunc(all, func(a, b cost) int { return cmp.Compare(b.allocs, a.allocs) })
	if len(all) < 100 || sum > most {
		t.Errorf("%d packages allocate %d times before main, and may %d times; most of all %v", len(all), sum, most, all[:min(len(all), 12)])
	}
	t.Logf("%d packages allocate %d times before main", len(all), sum)
}
