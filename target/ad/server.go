package ad

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
)

// maxSkew is how far the clocks of a domain controller and of Jitney may be
// apart before no access is given: ends would come at the wrong time.
const maxSkew = 5 * time.Minute

// A server is one domain controller, connected and signed in to as the service
// account, with what it said about itself and the domain.
type server struct {
	*conn
	sys *system

	host      string // its own full DNS name
	base      string // distinguished name of the domain
	config    string // of the configuration partition
	domainSID string
	ou        string // distinguished name of the unit for temporary accounts, as it is now
	now       time.Time
	skew      time.Duration // its clock minus ours
	level     int           // functional level of the domain: 7 is Windows Server 2016
	controls  map[string]bool
	tokens    []string // SIDs of the service account's own session
}

// connect signs in to e and reads what every later step needs.
func (s *system) connect(ctx context.Context, e endpoint) (*server, error) {
	c, err := dial(ctx, e, s.settings)
	if err != nil {
		return nil, err
	}
	sv := &server{conn: c, sys: s}
	if err := sv.open(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return sv, nil
}

func (sv *server) open(ctx context.Context) error {
	if err := sv.bind(ctx, sv.sys.bindName, sv.sys.bindPass.Reveal()); err != nil {
		return explain(err, "sign in as the service account", sv.dc)
	}
	if err := sv.readRoot(ctx); err != nil {
		return err
	}
	domain, err := sv.read(ctx, sv.base, nil, "objectSid")
	if err != nil || domain == nil {
		return explain(orMissing(err), "read the domain", sv.dc)
	}
	if sv.domainSID, err = parseSID(domain.GetRawAttributeValue("objectSid")); err != nil {
		return explain(err, "read the domain's SID", sv.dc)
	}
	ou, err := sv.read(ctx, sv.sys.ou, nil, "objectGUID")
	if err != nil && !isCode(err, ldap.LDAPResultInvalidDNSyntax) {
		return explain(err, "read the organizational unit", sv.dc)
	}
	if ou == nil {
		return &access.Error{Kind: access.Invalid, Text: "The organizational unit for temporary accounts does not exist on " + sv.dc + ", or the service account may not see it.",
			Hint: "Create it, or correct it in the target's settings.", Err: err}
	}
	sv.ou = ou.DN
	return nil
}

// orMissing is err, or an error that says that nothing was found.
func orMissing(err error) error {
	if err == nil {
		return ldap.NewError(ldap.LDAPResultNoSuchObject, errors.New("nothing found"))
	}
	return err
}

// readRoot reads the server's own description and checks that it serves the
// domain of the settings.
func (sv *server) readRoot(ctx context.Context) error {
	before := time.Now()
	root, err := sv.read(ctx, "", nil, "defaultNamingContext", "configurationNamingContext", "dnsHostName", "currentTime", "domainFunctionality", "supportedControl", "tokenGroups")
	if err != nil || root == nil {
		return explain(orMissing(err), "read the root of the directory", sv.dc)
	}
	took := time.Since(before)
	sv.base, sv.config = root.GetAttributeValue("defaultNamingContext"), root.GetAttributeValue("configurationNamingContext")
	if !sameDN(sv.base, sv.sys.base) {
		return &access.Error{Kind: access.Invalid, Text: sv.dc + " serves another domain than " + sv.sys.domain + ".", Hint: "Correct the domain or the domain controllers in the target's settings."}
	}
	sv.host = strings.ToLower(root.GetAttributeValue("dnsHostName"))
	if sv.host == "" || len(sv.host) > 255 {
		sv.host = sv.dc
	}
	sv.level, _ = strconv.Atoi(root.GetAttributeValue("domainFunctionality"))
	if sv.now, err = generalTime(root.GetAttributeValue("currentTime")); err != nil {
		return explain(err, "read the clock", sv.dc)
	}
	sv.skew = sv.now.Sub(before.Add(took / 2).Truncate(time.Second))
	if sv.skew.Abs() <= 5*time.Second { // the clock is told in whole seconds
		sv.skew = 0
	}
	sv.controls = map[string]bool{}
	for _, oid := range root.GetAttributeValues("supportedControl") {
		sv.controls[oid] = true
	}
	sv.tokens = sids(root.GetRawAttributeValues("tokenGroups"))
	return nil
}

// generalTime reads a time as LDAP writes it, such as 20261121064254.0Z.
func generalTime(s string) (time.Time, error) {
	whole, _, _ := strings.Cut(strings.TrimSuffix(s, "Z"), ".")
	return time.ParseInLocation("20060102150405", whole, time.UTC)
}

// sids reads a list of binary SIDs; what is none is left out.
func sids(raw [][]byte) []string {
	var out []string
	for _, b := range raw {
		if sid, err := parseSID(b); err == nil {
			out = append(out, sid)
		}
	}
	return out
}

// sameDN compares distinguished names as a directory does.
func sameDN(a, b string) bool {
	x, errX := ldap.ParseDN(a)
	y, errY := ldap.ParseDN(b)
	return errX == nil && errY == nil && x.EqualFold(y)
}

// below reports whether the object dn lies under the container.
func below(dn, container string) bool {
	x, errX := ldap.ParseDN(dn)
	y, errY := ldap.ParseDN(container)
	return errX == nil && errY == nil && y.AncestorOfFold(x)
}

// A fleet is every writable domain controller that answered, the one that
// takes the changes first.
type fleet struct {
	servers []*server
	silent  []string // those that did not answer
	// unsure says that one of those that did not answer may have taken changes
	// which the others do not know yet.
	unsure bool
}

func (f *fleet) first() *server { return f.servers[0] }

func (f *fleet) Close() {
	for _, sv := range f.servers {
		sv.Close()
	}
}

// first connects to the preferred domain controller that answers, and tells
// which were tried before it.
func (s *system) first(ctx context.Context) (*server, []endpoint, []string, error) {
	listed, err := s.listed(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	return s.race(ctx, listed)
}

// race connects to the first of listed that answers, trying one after the other.
func (s *system) race(ctx context.Context, listed []endpoint) (*server, []endpoint, []string, error) {
	type answer struct {
		i   int
		sv  *server
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(listed))
	begun, pending := 0, 0
	next := func() {
		if begun < len(listed) {
			i := begun
			begun, pending = begun+1, pending+1
			go func() {
				sv, err := s.connect(ctx, listed[i])
				answers <- answer{i, sv, err}
			}()
		}
	}
	abandon := func() { // whoever answers after all is not needed
		go func(n int) {
			for range n {
				if a := <-answers; a.sv != nil {
					a.sv.Close()
				}
			}
		}(pending)
	}
	timer := time.NewTicker(s.patience)
	defer timer.Stop()
	failed, failure := make([]bool, len(listed)), error(nil)
	for next(); pending > 0; {
		select {
		case <-timer.C:
			next()
			continue
		case a := <-answers:
			pending--
			if a.err == nil {
				abandon()
				var rest []endpoint
				var silent []string
				for i, e := range listed {
					switch {
					case i == a.i:
					case failed[i]:
						silent = append(silent, e.String())
					default:
						rest = append(rest, e)
					}
				}
				return a.sv, rest, silent, nil
			}
			failed[a.i], failure = true, errors.Join(failure, a.err)
			if ctx.Err() != nil || access.KindOf(a.err) == access.Denied { // trying a refused password elsewhere could lock the account
				abandon()
				return nil, nil, nil, a.err
			}
			next()
		}
	}
	worst, _ := errors.AsType[*access.Error](failure)
	return nil, nil, nil, &access.Error{Kind: worst.Kind, Text: worst.Text, Hint: worst.Hint, Err: failure}
}

// listed are the domain controllers of the settings, or those that DNS names.
func (s *system) listed(ctx context.Context) ([]endpoint, error) {
	if len(s.controllers) > 0 {
		return s.controllers, nil
	}
	_, found, err := net.DefaultResolver.LookupSRV(ctx, "ldap", "tcp", "dc._msdcs."+s.domain)
	if err != nil || len(found) == 0 {
		return nil, &access.Error{Kind: access.Unavailable, Text: "DNS here names no domain controller of " + s.domain + ".",
			Hint: "Name the domain controllers in the target's settings, or let this server use the domain's DNS.", Err: err}
	}
	var out []endpoint
	for _, r := range found[:min(len(found), maxControllers)] {
		if host := strings.TrimSuffix(r.Target, "."); isHost(host) {
			out = append(out, endpoint{host: host, port: s.port()})
		}
	}
	return out, nil
}

// all connects to every writable domain controller: those of the settings and
// those that the directory names.
func (s *system) all(ctx context.Context) (*fleet, error) {
	f, rest, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	s.complete(ctx, f, rest)
	return f, nil
}

// others are the domain controllers beside the first one.
type others struct {
	listed []endpoint // in the settings
	found  []string   // in the directory
}

// begin connects to the first domain controller that answers, and learns of
// the others.
func (s *system) begin(ctx context.Context) (*fleet, others, error) {
	sv, rest, silent, err := s.first(ctx)
	if err != nil {
		return nil, others{}, err
	}
	f := &fleet{servers: []*server{sv}, silent: silent, unsure: len(silent) > 0}
	found, err := sv.siblings(ctx)
	if err != nil {
		f.silent = append(f.silent, "other domain controllers (their list could not be read)")
	}
	return f, others{listed: rest, found: found}, nil
}

// complete connects to the others, which takes a while if one does not answer.
func (s *system) complete(ctx context.Context, f *fleet, o others) {
	if missing := s.join(ctx, f, o.listed); missing > 0 {
		f.unsure = true
	}
	var unknown []endpoint
	for _, host := range o.found {
		if !f.knows(host) && !s.lists(host) {
			unknown = append(unknown, endpoint{host: host, port: s.port()})
		}
	}
	s.join(ctx, f, unknown[:min(len(unknown), maxControllers)])
}

// join connects to each endpoint at the same time and counts those that failed.
func (s *system) join(ctx context.Context, f *fleet, endpoints []endpoint) (missing int) {
	found := make([]*server, len(endpoints))
	var wg sync.WaitGroup
	for i, e := range endpoints {
		wg.Go(func() { found[i], _ = s.connect(ctx, e) })
	}
	wg.Wait()
	for i, sv := range found {
		switch {
		case sv == nil:
			missing++
			f.silent = append(f.silent, endpoints[i].String())
		case f.knows(sv.host):
			sv.Close() // the same one under another name
		default:
			f.servers = append(f.servers, sv)
		}
	}
	return missing
}

func (f *fleet) knows(host string) bool {
	for _, sv := range f.servers {
		if strings.EqualFold(sv.host, host) {
			return true
		}
	}
	return false
}

func (s *system) lists(host string) bool {
	for _, e := range s.controllers {
		if strings.EqualFold(e.host, host) {
			return true
		}
	}
	return false
}

// port is the usual port of a domain controller.
func (s *settings) port() string {
	if s.startTLS {
		return "389"
	}
	return "636"
}

// siblings lists the DNS names of all writable domain controllers: computers
// with SERVER_TRUST_ACCOUNT, which read-only ones do not have.
func (sv *server) siblings(ctx context.Context) ([]string, error) {
	found, err := sv.search(ctx, sv.base, ldap.ScopeWholeSubtree, "(&(objectClass=computer)(userAccountControl:1.2.840.113556.1.4.803:=8192))", "dNSHostName")
	if err != nil {
		return nil, fmt.Errorf("list domain controllers: %w", err)
	}
	var hosts []string
	for _, e := range found {
		if host := strings.ToLower(e.GetAttributeValue("dNSHostName")); isHost(host) {
			hosts = append(hosts, host)
		}
	}
	return hosts, nil
}
