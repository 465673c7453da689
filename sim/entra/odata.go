package entra

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A shape is a type of Graph's, as far as queries see it.
type shape struct {
	name     string
	context  string
	defaults []string // what comes without $select; nil is everything
	known    []string // further properties that may be asked for
	// directory marks objects whose advanced queries need ConsistencyLevel: eventual and read the index.
	directory bool
	expands   []string
}

// fields are the properties to show; nil is all.
func (s *shape) fields(sel string) ([]string, error) {
	if sel == "" {
		return s.defaults, nil
	}
	var out []string
	for name := range strings.SplitSeq(sel, ",") {
		name = strings.TrimSpace(name)
		if s.known != nil && !slices.Contains(s.known, name) && !slices.Contains(s.defaults, name) {
			return nil, fail(http.StatusBadRequest, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '"+name+"' on type 'microsoft.graph."+s.name+"'.")
		}
		out = append(out, name)
	}
	return append(out, s.expands...), nil
}

// list answers with the objects that rows gives for a replica, as the query asks.
func (k *call) list(s *shape, rows func(replica int) []object) (int, any, error) {
	fields, err := s.fields(k.query.Get("$select"))
	if err != nil {
		return 0, nil, err
	}
	keep, err := k.filter(s)
	if err != nil {
		return 0, nil, err
	}
	objects := rows(k.replica)
	if keep != nil {
		objects = slices.DeleteFunc(objects, func(o object) bool { return !keep(o) })
	}
	order(objects, k.query.Get("$orderby"))
	page, next, err := k.page(len(objects))
	if err != nil {
		return 0, nil, err
	}
	values := make([]object, 0, page[1]-page[0])
	for _, o := range objects[page[0]:page[1]] {
		values = append(values, s.show(o, fields))
	}
	body := object{"@odata.context": k.base() + "$metadata#" + s.context, "value": values}
	if k.query.Get("$count") == "true" {
		body["@odata.count"] = len(objects)
	}
	if next != "" {
		body["@odata.nextLink"] = next
	}
	return http.StatusOK, body, nil
}

// show is one object of a list. What was not expanded stays out.
func (s *shape) show(o object, fields []string) object {
	if fields == nil {
		return o
	}
	out := pick(o, fields)
	for _, name := range s.expands {
		if out[name] == nil {
			delete(out, name)
		}
	}
	return out
}

// filter reads $filter and $search, and holds advanced queries to their rule. It may send the call to the index.
func (k *call) filter(s *shape) (func(object) bool, error) {
	var keep func(object) bool
	text, search := k.query.Get("$filter"), k.query.Get("$search")
	advanced := k.query.Get("$count") == "true" || search != "" || text != "" && k.query.Get("$orderby") != ""
	if text != "" {
		f, err := parseFilter(text)
		if err != nil {
			return nil, fail(http.StatusBadRequest, "BadRequest", "Invalid filter clause: "+err.Error())
		}
		if s.known != nil {
			for _, name := range f.names {
				if !slices.Contains(s.known, name) && !slices.Contains(s.defaults, name) {
					return nil, fail(http.StatusBadRequest, "BadRequest", "Invalid filter clause: Could not find a property named '"+name+"' on type 'microsoft.graph."+s.name+"'.")
				}
			}
		}
		advanced, keep = advanced || f.advanced, f.match
	}
	if s.directory && advanced {
		eventual := strings.EqualFold(k.req.Header.Get("ConsistencyLevel"), "eventual")
		if !eventual || k.query.Get("$count") != "true" && search == "" {
			return nil, fail(http.StatusBadRequest, "Request_UnsupportedQuery", "Unsupported Query.")
		}
		k.replica = k.t.index()
	}
	if search == "" {
		return keep, nil
	}
	property, word, _ := strings.Cut(strings.Trim(search, `"`), ":")
	filtered := keep
	return func(o object) bool {
		s, _ := o[property].(string)
		return strings.Contains(strings.ToLower(s), strings.ToLower(word)) && (filtered == nil || filtered(o))
	}, nil
}

// order sorts by one property, descending if asked.
func order(objects []object, by string) {
	if by == "" {
		return
	}
	property, direction, _ := strings.Cut(strings.TrimSpace(by), " ")
	slices.SortStableFunc(objects, func(a, b object) int {
		x, _ := a[property].(string)
		y, _ := b[property].(string)
		if strings.TrimSpace(direction) == "desc" {
			x, y = y, x
		}
		return cmp.Compare(x, y)
	})
}

// page is the part of n objects to show, and the link to the next.
func (k *call) page(n int) ([2]int, string, error) {
	size := k.cloud.opt.PageSize
	if top := k.query.Get("$top"); top != "" {
		asked, err := strconv.Atoi(top)
		if err != nil || asked < 1 || asked > 999 {
			return [2]int{}, "", badRequest("Invalid page size specified: '" + top + "'. Must be between 1 and 999 inclusive.")
		}
		if size = min(asked, size); k.cloud.opt.PageSize >= 100 {
			size = asked
		}
	}
	from := 0
	if token := k.query.Get("$skiptoken"); token != "" {
		raw, _ := base64.RawURLEncoding.DecodeString(token)
		at, ok := strings.CutPrefix(string(raw), "page:")
		offset, err := strconv.Atoi(at)
		if !ok || err != nil || offset < 0 {
			return [2]int{}, "", fail(http.StatusBadRequest, "Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request.")
		}
		from = offset
	}
	from = min(from, n)
	to := min(from+size, n)
	if to == n {
		return [2]int{from, to}, "", nil
	}
	q := url.Values{}
	for name, v := range k.query {
		q[name] = v
	}
	q.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte("page:"+strconv.Itoa(to))))
	return [2]int{from, to}, "https://" + k.req.Host + k.req.URL.Path + "?" + strings.ReplaceAll(q.Encode(), "+", "%20"), nil
}
